"""The training: its loop, step, losses, and what watches it."""
