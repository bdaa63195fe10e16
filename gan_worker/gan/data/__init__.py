"""Real pictures as training data, and what is measured of them."""
