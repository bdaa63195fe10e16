"""Repairing a damaged texture with its own generator."""
