"""Where raw files come from, and whether they are still the same."""
