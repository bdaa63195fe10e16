"""Generation: results that become materials, and making them again."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "panels")
