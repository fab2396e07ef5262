"""The published dataset: rows per split, card, croissant, manifest; its lint, release and end."""
