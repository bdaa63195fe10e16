"""What leaves the scene: assets and exported files."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "export")
