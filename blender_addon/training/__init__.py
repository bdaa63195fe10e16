"""Training: pictures, runs, curves and the preview."""
