"""Motion: keyframes, loops and baked sequences."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "panels", "motion", "keyframes")
