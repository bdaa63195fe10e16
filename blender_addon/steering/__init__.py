"""Steering: sliders, live generation, variations and favourites."""
