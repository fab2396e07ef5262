"""Raw single-cell h5ad files in, published Hugging Face datasets out: a Dagster asset graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adata_assets.components.adata_dataset import AdataDataset

__all__ = ["AdataDataset"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # YAMLs say adata_assets.AdataDataset; the science is used without importing Dagster.
    if name == "AdataDataset":
        from adata_assets.components.adata_dataset import AdataDataset

        return AdataDataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # dg lists components by dir(); without this it does not know the type that YAMLs name.
    return sorted({*globals(), *__all__})
