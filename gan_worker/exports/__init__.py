"""A material's maps as other tools take them: one module for what each kind of tool wants.

`textures` says how maps are packed into the textures of a target, `engines`, `gltf`, `materialx` and `usd` which
those are and what document uses them; `export` writes them in pieces that hold nobody up, for Blender does it too;
`sources` finds materials to export.
"""
