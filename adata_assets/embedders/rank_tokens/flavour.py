"""How the published generations of Geneformer differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PAD, MASK, CLS, EOS = "<pad>", "<mask>", "<cls>", "<eos>"


@dataclass(frozen=True)
class Flavour:
    """One generation: its vocabulary, the length of a cell, what is read off the model.

    Attributes
    ----------
    method
        Name of the embedder, for errors.
    vocabulary
        Name of the corpus, as the published dictionaries bear it.
    max_tokens
        Longest input, special tokens included.
    special_tokens
        Tokens of the dictionary that are no genes, all of them.
    pooling
        ``cls``: the state at ``<cls>``; ``mean``: the mean of the states of all genes.
    """

    method: str
    vocabulary: str
    max_tokens: int
    special_tokens: tuple[str, ...]
    pooling: Literal["cls", "mean"]

    @property
    def is_framed(self) -> bool:
        """Whether a cell's genes stand between ``<cls>`` and ``<eos>``."""
        return {CLS, EOS} <= set(self.special_tokens)

    @property
    def max_genes(self) -> int:
        """Most genes of a cell: what the special tokens leave.

        Examples
        --------
        >>> GC95M.max_genes, GC30M.max_genes
        (4094, 2048)
        """
        return self.max_tokens - 2 * self.is_framed


GC95M = Flavour("geneformer", "gc95M", 4096, (PAD, MASK, CLS, EOS), "cls")
GC30M = Flavour("geneformer_v1", "gc30M", 2048, (PAD, MASK), "mean")
FLAVOURS = (GC95M, GC30M)
