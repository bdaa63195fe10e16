"""Steering: sliders of a model, live previews while they move, variations to explore, and favorites.

A slider asks for a preview at once and for the full size when it has come to rest; the newest request wins.
"""

from ..ui.registration import in_order

register, unregister = in_order(
    __name__, "following", "live", "variations", "favourites", "operators", "panels"
)
