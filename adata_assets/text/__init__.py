"""Texts about cells that are made from their counts; captions live in `annotation`."""
