"""Materials in Blender: node tree, images and projection."""
