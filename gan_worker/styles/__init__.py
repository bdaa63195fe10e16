"""How a look is chosen: styles mixed, kept as favorites, painted, moved over time and written as text."""
