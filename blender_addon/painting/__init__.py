"""Painting: up to four looks over a surface, on an image or on a color attribute, blended by the generator."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "painting", "operators", "panels")
