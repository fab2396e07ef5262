"""Semantic sentences: genes of a cell with its cell type standing among them, in train only.

Belongs here: which genes stand in ``cell_sentence_3``, which cells get their label, and where it
stands. The choice of genes never looks at the cell's own label; the label is drawn by seed and
cell id, and never in validation or test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import csr_matrix

from adata_assets.errors import InputError
from adata_assets.spec import Sentences
from adata_assets.splitting.assign import seeded_keys
from adata_assets.text.cell_sentences import SentenceVocabulary, build_cell_sentences

LABELLED_SPLIT = "train"
# Other draws than those of any other purpose; seeded_keys reads eight letters.
_PURPOSES = {"cell_sentence_3": "label_3", "cell_sentence_4": "label_4"}


@dataclass(frozen=True)
class LabelledCells:
    """Cells of one split and their cell types.

    Attributes
    ----------
    sample_idx
        Ids, str ``(n_obs,)``.
    cell_type
        str or None, ``(n_obs,)``.
    split
        Of all of them.
    """

    sample_idx: np.ndarray
    cell_type: np.ndarray
    split: str


@dataclass(frozen=True)
class MarkerTokens:
    """The markers as sentences know them.

    Attributes
    ----------
    is_marker
        bool ``(n_genes,)``: markers of any cell type.
    of_type
        Tokens of the markers of each cell type.
    """

    is_marker: np.ndarray
    of_type: Mapping[str, frozenset[str]]


def find_marker_tokens(
    markers: pd.DataFrame, gene_ids: pd.Series, vocabulary: SentenceVocabulary
) -> MarkerTokens:
    """Find the markers among the genes of a vocabulary.

    Parameters
    ----------
    markers
        ``MarkerSchema``.
    gene_ids
        Of the genes of the vocabulary, in its order.

    Raises
    ------
    InputError
        A marker is not among the genes, or is none of class ``gene``.
    """
    gene = pd.Index(gene_ids).get_indexer(markers["gene_id"])
    token = vocabulary.token_of_gene[gene]
    if (is_odd := (gene < 0) | (token < 0)).any():
        raise InputError(
            f"marker {markers['gene_id'][is_odd].iloc[0]!r} is no gene of the vocabulary: markers "
            "and gene table are of different generations; materialize gene_stats again"
        )
    is_marker = np.zeros(len(gene_ids), dtype=bool)
    is_marker[gene] = True
    tokens = pd.Series(vocabulary.tokens.take(pa.array(token)).to_pylist(), dtype=object)
    by_type = tokens.groupby(markers["cell_type"].to_numpy())
    return MarkerTokens(is_marker, {str(name): frozenset(own) for name, own in by_type})


def build_marker_sentences(
    counts: csr_matrix,
    vocabulary: SentenceVocabulary,
    markers: MarkerTokens,
    genes: pa.StringArray,
    *,
    rules: Sentences,
) -> pa.StringArray:
    """Return the expressed markers of every cell, by falling expression as in other sentences.

    A symbol of several genes is a marker if one of them is, and its counts are summed as
    everywhere. Markers of all types count, whatever the cell's own type.

    Parameters
    ----------
    counts, vocabulary
        As ``build_cell_sentences`` takes them.
    markers
        Of the same genes.
    genes
        ``cell_sentence_2`` of the cells; its first ``rules.n_markers`` genes stand for a cell that
        expresses no marker.
    rules
        Of the dataset's spec: at most ``length`` genes.

    Returns
    -------
    ``(n_obs,)`` strings, none empty where ``genes`` is not.
    """
    token_of_gene = vocabulary.token_of_gene
    tokens = np.unique(token_of_gene[markers.is_marker])
    only_markers = np.where(np.isin(token_of_gene, tokens), token_of_gene, np.int32(-1))
    found = build_cell_sentences(
        counts, replace(vocabulary, token_of_gene=only_markers), max_genes=rules.length
    )
    pairs = zip(found.to_pylist(), genes.to_pylist(), strict=True)
    filled = [own or " ".join(other.split(" ")[: rules.n_markers]) for own, other in pairs]
    return pa.array(filled, type=pa.string())


def draw_labels(cells: LabelledCells, *, key: str, probability: float, seed: int) -> np.ndarray:
    """Return the label that each cell's sentence is to contain, or None; ``(n_obs,)``.

    Parameters
    ----------
    cells
        Outside of train no cell gets its label, nor does a cell without one.
    key
        ``cell_sentence_3`` or ``cell_sentence_4``: each draws for itself.
    probability
        Share of the labelled train cells that get theirs.
    seed
        The dataset's seed.
    """
    drawn = np.full(len(cells.cell_type), None, dtype=object)
    if cells.split != LABELLED_SPLIT:
        return drawn
    ids = pd.Series(cells.sample_idx, dtype=object)
    keys = seeded_keys(ids, seed=seed, purpose=_PURPOSES[key])
    # The upper 53 bits are all that a float64 below 1 holds.
    is_drawn = (keys >> np.uint64(11)).astype(np.float64) * 2.0**-53 < probability
    is_drawn &= pd.notna(cells.cell_type)
    drawn[is_drawn] = cells.cell_type[is_drawn]
    return drawn


def insert_labels(
    sentences: pa.StringArray, labels: np.ndarray, markers: MarkerTokens
) -> pa.StringArray:
    """Put each label before the first marker of its own type, else before the first gene.

    Parameters
    ----------
    sentences
        Genes separated by spaces, none empty.
    labels
        What ``draw_labels`` returned.
    markers
        Of all cell types.

    Examples
    --------
    >>> markers = MarkerTokens(np.array([]), {"T cell": frozenset(["CD3E", "IL7R"])})
    >>> labels = np.array(["T cell", "T cell", None], dtype=object)
    >>> insert_labels(pa.array(["LYZ CD3E IL7R", "LYZ S100A8", "CD3E"]), labels, markers).to_pylist()
    ['LYZ T cell CD3E IL7R', 'T cell LYZ S100A8', 'CD3E']
    """
    texts = sentences.to_pylist()
    for row in np.flatnonzero(pd.notna(labels)):
        label, words = labels[row], texts[row].split(" ")
        own = markers.of_type.get(label, frozenset())
        at = next((i for i, word in enumerate(words) if word in own), 0)
        texts[row] = " ".join([*words[:at], label, *words[at:]])
    return pa.array(texts, type=pa.string())
