"""Filling a scene by a recipe."""
