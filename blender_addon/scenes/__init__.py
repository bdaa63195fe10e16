"""Filling a scene by a recipe."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "panels", "batch")
