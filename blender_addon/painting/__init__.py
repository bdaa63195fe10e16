"""Painting a style over a surface."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "painting", "operators", "panels")
