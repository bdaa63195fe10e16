"""The server: owns keys, queue, journal and results, and has no TensorFlow."""
