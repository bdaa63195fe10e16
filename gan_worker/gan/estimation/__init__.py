"""Estimation: the maps of a material from its color alone.

`network` is the estimator, a U-Net that is told what the whole picture looks like; `relief` makes normals and height of
the slopes that it finds; `light` takes pictures as a sun would have lit them, which it is trained on.
"""
