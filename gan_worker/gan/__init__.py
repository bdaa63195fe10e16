"""The GAN itself: the only place that knows TensorFlow and Keras."""
