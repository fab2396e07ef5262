"""Genes: their ids, symbols and classes, and what they look like over the train cells."""
