"""A trained generator at work: latents, styles, directions, tiles and sheets."""
