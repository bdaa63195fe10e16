"""Photos: what is to be done to one before it is used, chosen and seen in the Image Editor; its file never changes."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "preview", "overlay", "operators", "panels")
