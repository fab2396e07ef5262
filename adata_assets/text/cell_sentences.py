"""Cell sentences: the symbols of a cell's expressed genes by falling count.

The order is total, so a sentence is a function of the cell's counts and of the vocabulary alone:
the same bytes for any chunking, order of cells or genes, and number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from adata_assets.errors import InputError
from adata_assets.text import sentence_kernels as kernels

MAX_BYTES = 2**31 - 1


@dataclass(frozen=True, eq=False)
class SentenceVocabulary:
    """Which token stands for a gene, and which of two tokens of equal count comes first.

    Attributes
    ----------
    token_of_gene
        int32 `(n_genes,)`, position in `tokens`; -1 = the gene has no place in sentences.
    tokens
        strings `(n_tokens,)`, all different, without white space.
    rank
        int32 `(n_tokens,)`, all different; the smaller comes first among equal counts.
    """

    token_of_gene: np.ndarray
    tokens: pa.StringArray
    rank: np.ndarray


def build_vocabulary(var: pd.DataFrame, total_train: np.ndarray) -> SentenceVocabulary:
    """One token for each symbol among the genes of class ``"gene"``.

    A gene without a symbol (missing or blank) stands under its id. White space inside a token
    becomes ``"_"``, at its ends it is dropped; genes whose tokens are equal *after* that are one
    token, also where the id of one is the symbol of another. Tokens are in the order of their
    rank: total on train ascending with 0 last, then smallest gene id; this does not depend on the
    order of the rows of `var`.

    Parameters
    ----------
    var
        One row per gene with `gene_id` (str, all different), `symbol` (str or None) and
        `feature_class` (str).
    total_train
        int64 `(n_genes,)`, counts of each gene over the train rows, in the order of `var`.

    Raises
    ------
    InputError
        A length differs, a total is negative, or a gene id is blank or occurs twice.

    Examples
    --------
    >>> var = pd.DataFrame({"gene_id": ["E1", "E2", "E3"], "symbol": ["CD3E", None, "HLA A"],
    ...                     "feature_class": ["gene"] * 3})
    >>> build_vocabulary(var, np.array([9, 0, 4])).tokens.to_pylist()
    ['HLA_A', 'CD3E', 'E2']
    """
    total_train = _require_totals(var, total_train)
    is_gene = var["feature_class"].eq("gene").fillna(False).to_numpy(dtype=bool)
    genes = pd.DataFrame(
        {
            "token": _tokens_of_genes(var[is_gene]),
            "gene_id": var["gene_id"].to_numpy(dtype=object)[is_gene],
            "total": total_train[is_gene],
        }
    )
    # Sorted, the first id is the smallest; the minimum of texts would be a loop in Python.
    by_token = genes.sort_values("gene_id").groupby("token")
    tokens = by_token.agg(total=("total", "sum"), gene_id=("gene_id", "first"))
    tokens["is_unseen"] = tokens["total"] == 0
    tokens = tokens.sort_values(["is_unseen", "total", "gene_id"])
    token_of_gene = np.full(len(var), -1, dtype=np.int32)
    token_of_gene[is_gene] = pd.Index(tokens.index).get_indexer(genes["token"])
    return SentenceVocabulary(
        token_of_gene=token_of_gene,
        tokens=pa.array(tokens.index.tolist(), type=pa.string()),
        rank=np.arange(len(tokens), dtype=np.int32),
    )


def _require_totals(var: pd.DataFrame, total_train: np.ndarray) -> np.ndarray:
    totals = np.asarray(total_train)
    if totals.shape != (len(var),):
        raise InputError(
            f"total_train has shape {totals.shape} but var has {len(var)} genes: "
            "give one total per row of var"
        )
    if totals.size and totals.min() < 0:
        gene_id = var["gene_id"].iloc[int(totals.argmin())]
        raise InputError(
            f"gene {gene_id!r} has the total {totals.min()} on train: totals are sums of raw counts"
        )
    if var["gene_id"].duplicated().any():
        gene_id = var["gene_id"][var["gene_id"].duplicated()].iloc[0]
        raise InputError(f"gene_id {gene_id!r} occurs twice in var: sum its counts into one row")
    return totals.astype(np.int64)


def _tokens_of_genes(var: pd.DataFrame) -> list[str]:
    tokens = []
    for symbol, gene_id in zip(var["symbol"], var["gene_id"], strict=True):
        words = symbol.split() if isinstance(symbol, str) else []
        words = words or str(gene_id).split()
        if not words:
            raise InputError(f"gene_id {gene_id!r} in var is blank: every gene needs an id")
        tokens.append("_".join(words))
    return tokens


def build_cell_sentences(
    counts: csr_matrix, vocabulary: SentenceVocabulary, *, max_genes: int
) -> pa.StringArray:
    """The sentence of every cell: at most `max_genes` tokens, separated by single spaces.

    Only tokens with a count above 0 appear; a cell with none has the sentence ``""``. Order: count
    (summed over the genes of the token) descending, then `vocabulary.rank` ascending.

    Parameters
    ----------
    counts
        Raw counts `(n_obs, n_genes)` of any integer or float dtype; whole numbers >= 0. Entries
        need not be sorted, repeated ones are summed.
    vocabulary
        From :func:`build_vocabulary`, for the same genes in the same order.
    max_genes
        Tokens per sentence at most, at least 1.

    Returns
    -------
    `(n_obs,)` strings in the order of the rows, none of them null.

    Raises
    ------
    InputError
        An entry is not a count, the vocabulary is for other genes, or the sentences together
        exceed 2 GiB.
    """
    place_of_gene, tokens = _tokens_by_place(vocabulary, counts.shape[1])
    if max_genes < 1:
        raise InputError(f"max_genes is {max_genes}: a cell sentence holds at least 1 gene")
    counts = _without_repeats(counts)
    codes = _codes_of_genes(place_of_gene, len(tokens))
    indptr = counts.indptr.astype(np.int64)
    starts = np.zeros(len(indptr), dtype=np.int64)
    np.cumsum(np.minimum(np.diff(indptr), max_genes), out=starts[1:])
    chosen = np.empty(starts[-1], dtype=np.int32)
    n_chosen = np.empty(len(indptr) - 1, dtype=np.int64)
    bad_entry = kernels.choose_places(
        indptr, counts.indices, counts.data, codes, len(tokens), starts, chosen, n_chosen
    )
    if bad_entry >= 0:
        raise InputError(_describe_entry(counts, bad_entry))
    return _write(starts, chosen, n_chosen, tokens)


def _tokens_by_place(
    vocabulary: SentenceVocabulary, n_genes: int
) -> tuple[np.ndarray, pa.StringArray]:
    """For every gene its token's place in the order of ranks, int32; and the tokens in order."""
    token_of_gene, n_tokens = vocabulary.token_of_gene, len(vocabulary.tokens)
    if len(token_of_gene) != n_genes:
        raise InputError(
            f"counts have {n_genes} genes but the vocabulary was built for {len(token_of_gene)}: "
            "build it from the var of these counts"
        )
    if n_tokens > kernels.MAX_PLACES:
        raise InputError(f"{n_tokens} tokens: sentences know at most {kernels.MAX_PLACES}")
    if token_of_gene.max(initial=-1) >= n_tokens or len(vocabulary.rank) != n_tokens:
        raise InputError(
            f"the vocabulary has {n_tokens} tokens, {len(vocabulary.rank)} ranks and refers to "
            f"token {token_of_gene.max(initial=-1)}: build it with build_vocabulary"
        )
    order = np.argsort(vocabulary.rank, kind="stable")
    # The last element serves the genes with token -1.
    place_of_token = np.full(n_tokens + 1, -1, dtype=np.int32)
    place_of_token[order] = np.arange(n_tokens, dtype=np.int32)
    tokens = pa.array(vocabulary.tokens, type=pa.string()).take(pa.array(order))
    return place_of_token[token_of_gene], tokens


def _without_repeats(counts: csr_matrix) -> csr_matrix:
    """The matrix itself, or a copy in which repeated entries of a cell are summed."""
    if counts.has_canonical_format:
        return counts
    # A narrow integer type would wrap around while its entries are summed.
    wide = counts.astype(np.int64 if counts.dtype.kind in "iub" else np.float64, copy=True)
    wide.sum_duplicates()
    return wide


def _codes_of_genes(place_of_gene: np.ndarray, n_places: int) -> np.ndarray:
    """int32 `(n_genes,)`, the codes that `sentence_kernels` explains."""
    n_genes_of_place = np.bincount(place_of_gene[place_of_gene >= 0], minlength=n_places + 1)
    # Place -1 reads the spare last element, which no gene is counted in.
    is_shared = n_genes_of_place[place_of_gene] > 1
    return np.where(is_shared, kernels.NO_PLACE - 1 - place_of_gene, place_of_gene)


def _write(
    starts: np.ndarray, chosen: np.ndarray, n_chosen: np.ndarray, tokens: pa.StringArray
) -> pa.StringArray:
    token_offsets, token_bytes = _buffers(tokens)
    offsets = kernels.measure_sentences(starts, chosen, n_chosen, token_offsets)
    n_bytes = int(offsets[-1])
    if n_bytes > MAX_BYTES:
        raise InputError(
            f"the sentences of {len(n_chosen)} cells take {n_bytes} bytes, one array holds "
            f"{MAX_BYTES}: use more chunks or a smaller max_genes"
        )
    written = np.empty(n_bytes, dtype=np.uint8)
    kernels.write_sentences(starts, chosen, n_chosen, token_offsets, token_bytes, written)
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(written)]
    return pa.Array.from_buffers(pa.string(), len(n_chosen), buffers)


def _buffers(strings: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Byte offsets, int64 `(n + 1,)`, and UTF-8 bytes, uint8, of strings without nulls."""
    lengths = pc.binary_length(strings).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(strings) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    joined = "".join(strings.to_pylist()).encode()
    return offsets, np.frombuffer(joined, dtype=np.uint8)


def _describe_entry(counts: csr_matrix, entry: int) -> str:
    row = int(np.searchsorted(counts.indptr, entry, side="right")) - 1
    gene, value = int(counts.indices[entry]), counts.data[entry]
    if not 0 <= gene < counts.shape[1]:
        return (
            f"row {row} of the counts refers to gene {gene} of {counts.shape[1]}: "
            "the matrix is damaged, build the counts again"
        )
    return (
        f"row {row}, gene {gene} of the counts holds {value}: cell sentences rank raw counts, "
        f"whole numbers from 0 to below {kernels.MAX_SUM} (summed over the genes of a symbol)"
    )


def count_sentence_genes(sentences: pa.StringArray) -> np.ndarray:
    """Number of tokens of each sentence, int32 `(n_obs,)`; 0 for ``""``.

    Raises
    ------
    InputError
        A sentence is null.

    Examples
    --------
    >>> count_sentence_genes(pa.array(["CD3E LYZ", "", "LYZ"])).tolist()
    [2, 0, 1]
    """
    if sentences.null_count:
        row = pc.index(pc.is_null(sentences), True).as_py()
        raise InputError(f'the cell sentence of row {row} is null: a cell without genes has ""')
    n_spaces = pc.count_substring(sentences, " ").to_numpy(zero_copy_only=False)
    is_filled = pc.greater(pc.binary_length(sentences), 0).to_numpy(zero_copy_only=False)
    return (n_spaces + is_filled).astype(np.int32)
