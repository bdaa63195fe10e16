"""The client of a worker: runs in Blender and in the command line, without TensorFlow."""
