"""Motion: keyframes, loops and baked sequences."""
