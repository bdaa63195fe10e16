"""Scenes filled by a recipe, from the panel, from scripts and without a window.

`objects` describes the scene to the plain functions of `gan_worker.scenes` and applies what they planned; `batch` is
the work, piece by piece; `script` waits for all of it where no timer fires.
"""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "panels")
