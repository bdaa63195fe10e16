"""What leaves the scene: assets for the Asset Browser, and files for other tools."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "panels", "export")
