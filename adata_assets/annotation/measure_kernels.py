"""The compiled loop over the counts of a block: sums, numbers and hashes of every cell."""

from __future__ import annotations

import numba
import numpy as np

N_TOP = 20
IS_GENE, IS_MT, IS_SHARED = np.uint8(1), np.uint8(2), np.uint8(4)

_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@numba.njit(cache=True, nogil=True)
def mix(value: np.uint64) -> np.uint64:
    """Finalise 64 bits (splitmix64, Steele et al. 2014, doi:10.1145/2660193.2660195)."""
    value = np.uint64(value)
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def sum_genes(
    indices: np.ndarray,
    data: np.ndarray,
    gene_index: np.ndarray,
    sums: np.ndarray,
    found: np.ndarray,
    per_feature: np.ndarray,
) -> np.uint32:
    """Add up the counts of one cell per gene, and of its features over all cells.

    Fills `sums` (int64 per gene, zero before) and `found` (the genes that have a count, in order of
    appearance); returns how many there are.
    """
    n_found = np.uint32(0)
    for place in range(len(indices)):
        feature, count = indices[place], np.int64(data[place])
        if count == 0:
            continue
        per_feature[feature, 0] += count
        per_feature[feature, 1] += 1
        gene = gene_index[feature]
        if sums[gene] == 0:
            found[n_found] = gene
            n_found += np.uint32(1)
        sums[gene] += count
    return n_found


@numba.njit(cache=True, nogil=True)
def keep_largest(largest: np.ndarray, count: int) -> None:
    """Put a count into its place among the largest, which rise; the smallest falls out."""
    place = 0
    while place + 1 < len(largest) and largest[place + 1] < count:
        largest[place] = largest[place + 1]
        place += 1
    largest[place] = count


@numba.njit(cache=True, nogil=True)
def measure_rows(
    block: tuple[np.ndarray, np.ndarray, np.ndarray],
    genes: tuple[np.ndarray, np.ndarray, np.ndarray],
    room: tuple[np.ndarray, np.ndarray],
    n_counts: np.ndarray,
    n_genes: np.ndarray,
    n_counts_mt: np.ndarray,
    n_counts_top20: np.ndarray,
    n_sentence_genes: np.ndarray,
    fingerprint: np.ndarray,
    n_genes_shared: np.ndarray,
    fingerprint_shared: np.ndarray,
    per_feature: np.ndarray,
) -> None:
    """Measure the cells of a block.

    Parameters
    ----------
    block
        Row pointers, features (uint32) and counts of a CSR matrix.
    genes
        Gene of each feature (uint32); `IS_MT`, `IS_GENE`, `IS_SHARED` of each gene (uint8); its hash.
    room
        int64 zeros and uint32, one per gene; the zeros are left as zeros.
    n_counts, n_genes, n_counts_mt, n_counts_top20, n_sentence_genes, fingerprint, n_genes_shared, \
    fingerprint_shared
        Filled, one per cell; zero before.
    per_feature
        int64 ``(n_features, 2)``, counts and cells; added to.
    """
    indptr, indices, data = block
    gene_index, flags, gene_key = genes
    sums, found = room
    largest = np.empty(N_TOP, np.int64)
    for row in range(len(indptr) - 1):
        places = slice(indptr[row], indptr[row + 1])
        n_found = sum_genes(indices[places], data[places], gene_index, sums, found, per_feature)
        largest[:] = 0
        total, n_mt, n_sentence = np.int64(0), np.int64(0), np.int64(0)
        first, second = np.uint64(0), np.uint64(0)
        n_shared, first_shared, second_shared = np.int64(0), np.uint64(0), np.uint64(0)
        for place in range(n_found):
            gene = found[place]
            count = sums[gene]
            sums[gene] = 0
            total += count
            n_sentence += flags[gene] & IS_GENE
            if flags[gene] & IS_MT:
                n_mt += count
            if count > largest[0]:
                keep_largest(largest, count)
            # A sum does not depend on the order of the genes in the file.
            entry = mix(gene_key[gene] + mix(np.uint64(count)))
            first += entry
            other = mix(entry ^ _GOLDEN)
            second += other
            if flags[gene] & IS_SHARED:
                n_shared += 1
                first_shared += entry
                second_shared += other
        n_counts[row], n_genes[row], n_counts_mt[row] = total, n_found, n_mt
        n_counts_top20[row], n_sentence_genes[row] = largest.sum(), n_sentence
        fingerprint[row, 0], fingerprint[row, 1] = first, second
        n_genes_shared[row] = n_shared
        fingerprint_shared[row, 0], fingerprint_shared[row, 1] = first_shared, second_shared
