"""Motion: keyframes on latents, loops that end where they begin, and sequences baked from either."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "panels", "keyframes")
