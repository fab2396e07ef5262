"""From a raw file to annotated cells: counts, genes, quality, captions, the ledger."""
