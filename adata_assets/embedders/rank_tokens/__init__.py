"""What the Geneformer methods share: dictionaries, rank value encoding, forward pass."""
