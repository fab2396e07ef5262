"""The rows of the published splits: facts, negatives, formats and parquet shards."""
