"""Vectors that somebody else computed, found by the ids of their cells."""
