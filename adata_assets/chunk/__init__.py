"""One chunk as files: counts, obs, var and embeddings of its cells, as h5ad and as zarr zip."""
