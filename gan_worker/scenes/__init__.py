"""Batches: a recipe, the objects of a scene, and what each of them gets."""
