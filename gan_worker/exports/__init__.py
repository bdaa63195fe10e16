"""A material's maps as other tools take them.

`targets` is the table of tools: which textures each takes, and which of its inputs they feed. `textures` packs maps
into them, `export` writes them in pieces that hold nobody up, for Blender does it too; `gltf`, `materialx` and `usd`
write the documents that use them. `sources` finds materials to export.
"""
