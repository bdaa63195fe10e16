"""Steering: sliders, live generation, variations and favourites."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "live", "variations", "favourites", "operators", "panels")
