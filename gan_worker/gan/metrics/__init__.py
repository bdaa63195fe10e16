"""How near generated maps come to real ones."""
