"""Which cells are good: fixed rules, duplicates, and outliers learnt from the train cells."""
