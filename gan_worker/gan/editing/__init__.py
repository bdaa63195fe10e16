"""A trained generator used on given pictures: projection and inpainting.

`projection` searches the latents whose picture is nearest to a given one, `inpainting` fills a mask so that it fits
its surroundings, and `material_files` does that for all maps of a material on disk.
"""
