"""What panels are laid out with: rows, icons and thumbnails."""
