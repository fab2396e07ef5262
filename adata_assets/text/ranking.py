"""Which genes stand in cell sentences, and by what they are sorted, beyond plain counts.

Belongs here: gene sets, and counts turned into whole numbers that sort as another ranking does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from adata_assets.errors import InputError
from adata_assets.text import sentence_kernels as kernels
from adata_assets.text.cell_sentences import SentenceVocabulary, build_cell_sentences

PROTEIN_CODING = "protein_coding"
# Ratios of counts and medians are compared to 20 binary places; what is nearer is a tie.
RATIO_STEPS = 2**20


def choose_genes(gene_set: str, var: pd.DataFrame, hvg_rank: np.ndarray) -> np.ndarray:
    """Return which genes belong to a gene set, bool ``(n_genes,)``.

    Parameters
    ----------
    gene_set
        ``all``, ``protein_coding`` or ``hvg``.
    var
        ``VarSchema``.
    hvg_rank
        Rank of each gene among the highly variable ones, -1 for the others.

    Raises
    ------
    InputError
        If no gene belongs to it.
    """
    if gene_set == "all":
        return np.ones(len(var), dtype=bool)
    if gene_set == PROTEIN_CODING:
        belongs = var["biotype"].eq(PROTEIN_CODING).fillna(False).to_numpy(dtype=bool)
    else:
        belongs = np.asarray(hvg_rank) >= 0
    if not belongs.any():
        raise InputError(
            f"sentences.gene_set is {gene_set!r}, but none of the {len(var)} genes is of it (biotypes "
            f"are those of mapped human and mouse genes): set it to all"
        )
    return belongs


def keep_genes(vocabulary: SentenceVocabulary, is_in_set: np.ndarray) -> SentenceVocabulary:
    """Return the vocabulary in which only genes of a set have tokens.

    A token of several genes stays, with all of them, if one of them is in the set.
    """
    token_of_gene = vocabulary.token_of_gene
    tokens = np.unique(token_of_gene[is_in_set & (token_of_gene >= 0)])
    kept = np.where(np.isin(token_of_gene, tokens), token_of_gene, np.int32(-1))
    return replace(vocabulary, token_of_gene=kept)


def divide_by_median(counts: csr_matrix, nonzero_median: np.ndarray) -> csr_matrix:
    """Return whole numbers that sort as counts over the gene's median do.

    Parameters
    ----------
    counts
        Raw counts ``(n_obs, n_genes)``.
    nonzero_median
        Median of each gene's non-zero values on train; NaN for a gene unseen there, which comes
        after all others of its cell.

    Returns
    -------
    int64, ``count / median`` in steps of ``1 / RATIO_STEPS``; 1 for unseen genes, at least 2 else.
    """
    scale = np.where(nonzero_median > 0, RATIO_STEPS / nonzero_median, 0.0)
    ratios = counts.data.astype(np.float64) * scale[counts.indices]
    whole = np.clip(np.rint(ratios), 2, kernels.MAX_SUM // 1024).astype(np.int64)
    whole[scale[counts.indices] == 0] = 1
    whole[counts.data == 0] = 0
    return csr_matrix((whole, counts.indices, counts.indptr), shape=counts.shape)


def fill_empty(sentences: pa.StringArray, others: pa.StringArray) -> pa.StringArray:
    """Return the sentences with those of ``others`` where they are empty."""
    return pc.if_else(pc.equal(sentences, ""), others, sentences)


def build_set_sentences(
    counts: csr_matrix, vocabulary: SentenceVocabulary, is_in_set: np.ndarray, *, max_genes: int
) -> tuple[pa.StringArray, int]:
    """Return the sentences over a gene set, and how many cells express no gene of it.

    Those cells are described by all their genes.
    """
    found = build_cell_sentences(counts, keep_genes(vocabulary, is_in_set), max_genes=max_genes)
    n_outside = int(pc.sum(pc.equal(found, "")).as_py() or 0)
    if n_outside:
        found = fill_empty(found, build_cell_sentences(counts, vocabulary, max_genes=max_genes))
    return found, n_outside
