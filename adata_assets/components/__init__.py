"""Components that a dataset's YAML can name."""

from adata_assets.components.adata_dataset import AdataDataset

__all__ = ["AdataDataset"]
