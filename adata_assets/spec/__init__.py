"""A dataset's YAML as a frozen model: what it says, never how or where it runs."""

from adata_assets.spec.base import FORMATS, SPLITS, Frozen
from adata_assets.spec.cells import (
    Captions,
    CountsRules,
    Harmonise,
    Keys,
    MadRules,
    QCRules,
    SourceSpec,
    Subset,
)
from adata_assets.spec.dataset import DatasetSpec
from adata_assets.spec.published import (
    Chunks,
    Citation,
    ConfigSpec,
    EmbedderSpec,
    Negatives,
    Publish,
    Sentences,
    ShareSpec,
    Splits,
)

__all__ = [
    "FORMATS",
    "SPLITS",
    "Captions",
    "Chunks",
    "Citation",
    "ConfigSpec",
    "CountsRules",
    "DatasetSpec",
    "EmbedderSpec",
    "Frozen",
    "Harmonise",
    "Keys",
    "MadRules",
    "Negatives",
    "Publish",
    "QCRules",
    "Sentences",
    "ShareSpec",
    "SourceSpec",
    "Splits",
    "Subset",
]
