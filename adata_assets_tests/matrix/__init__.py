"""Tests of `adata_assets.matrix`."""
