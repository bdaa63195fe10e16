"""Generation: results that become materials, and making them again from the recipe that a material keeps.

Requests carry the uuid of their material, never a pointer, so that undo, renaming and loading another file are
harmless.
"""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "events", "operators", "panels")
