"""Painting a style over a surface."""
