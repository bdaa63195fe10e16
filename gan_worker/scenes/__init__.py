"""Batches: a recipe, the objects of a scene, and what each of them gets.

`parser` reads the TOML of a `recipe`, `plan` decides which object gets which material by it and by the scene's
`description`, `latents` what each looks like, and `store` keeps the maps by the hash of what was asked, so that a
batch which was interrupted makes only what is missing. `ray` makes them on a cluster. None of this knows Blender,
which describes its scene and takes the files.
"""
