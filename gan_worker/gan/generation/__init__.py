"""A trained generator at work: latents, styles, directions, tiles and sheets.

`model` opens a run and makes pictures of any size, piece by piece in bounded memory (`tiles`) with the same bytes
each time. `latents` are drawn by NumPy from the seed; `styles` resolves what was asked into w; `directions` finds the
sliders.
"""
