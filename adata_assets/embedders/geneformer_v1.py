"""``geneformer_v1``: states of Geneformer V1 (gc30M), mean over the genes, second-to-last layer."""

from __future__ import annotations

from typing import ClassVar

from adata_assets.embedders.rank_tokens.flavour import GC30M, Flavour
from adata_assets.embedders.rank_tokens.method import GeneformerEmbedder, GeneformerSettings

Settings = GeneformerSettings


class Embedder(GeneformerEmbedder):
    """At most 2,048 genes of a cell, without special tokens."""

    flavour: ClassVar[Flavour] = GC30M
