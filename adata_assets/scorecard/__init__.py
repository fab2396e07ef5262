"""How good embeddings are on cells that nothing was learnt from, by five measures."""
