"""Repairing a damaged texture with its own generator."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "panels")
