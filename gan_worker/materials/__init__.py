"""What a material is, on disk and in memory: its maps, pixels, files and metadata."""
