"""What leaves the scene: assets and exported files."""
