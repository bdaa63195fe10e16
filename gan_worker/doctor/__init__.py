"""The doctor: checks of an installation, and what it found."""
