"""Checks of finished materials, with NumPy alone: Blender does them too.

`material` looks at the maps of one material and says what is wrong with them, in `findings`; `seams` measures how well
a picture closes at its borders.
"""
