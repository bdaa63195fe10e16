"""The compute process: the server's child, the one that loads TensorFlow."""
