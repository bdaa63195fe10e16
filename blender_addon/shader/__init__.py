"""Materials in Blender: node tree, images and projection."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "panels")
