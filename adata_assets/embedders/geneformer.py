"""``geneformer``: states of Geneformer V2 (gc95M) at ``<cls>``, second-to-last layer."""

from __future__ import annotations

from typing import ClassVar

from adata_assets.embedders.rank_tokens.flavour import GC95M, Flavour
from adata_assets.embedders.rank_tokens.method import GeneformerEmbedder, GeneformerSettings

Settings = GeneformerSettings


class Embedder(GeneformerEmbedder):
    """At most 4,094 genes of a cell between ``<cls>`` and ``<eos>``."""

    flavour: ClassVar[Flavour] = GC95M
