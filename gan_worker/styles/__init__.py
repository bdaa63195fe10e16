"""How a look is chosen: styles mixed, kept, painted, moved over time and written as text."""
