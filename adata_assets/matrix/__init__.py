"""Sparse matrices on disk: safe opening, streamed rows, counts in dataset order, chunk files."""
