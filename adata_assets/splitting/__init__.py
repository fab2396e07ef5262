"""Which split a cell belongs to, the dataset order, and how it is dealt into chunks."""
