"""What the splits of a dataset still share: keys, equal cells, and what a classifier gains by it."""
