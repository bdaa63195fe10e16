"""What panels are laid out with: rows, icons, thumbnails and the order of registration."""
