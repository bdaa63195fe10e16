"""The worker seen from Blender: session, pump, preferences, set-up and doctor."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "preferences", "operators", "pairing", "memory", "panels")
