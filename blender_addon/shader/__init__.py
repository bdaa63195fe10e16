"""Materials in Blender: the node tree of a material, its images, and how they lie on a surface."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "panels")
