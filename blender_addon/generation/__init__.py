"""Generation: results that become materials, and making them again."""
