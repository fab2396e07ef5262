"""Whose genes a dataset has: stated, or recognised from ids, organism or symbols.

Belongs here: the order of evidence, and refusing what contradicts itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from adata_assets.annotation.genes.reference import MAPPED_SPECIES, Species, load_gene_table
from adata_assets.annotation.values import MISSING
from adata_assets.errors import InputError

Evidence = Literal["stated", "ids", "organism", "symbols", "nothing"]

PREFIX = {"human": "ENSG", "mouse": "ENSMUSG"}
_ORGANISM = {
    "human": r"homo[ _]sapiens|\bhuman\b|9606\b",
    "mouse": r"mus[ _]musculus|\bmouse\b|10090\b",
}
_OF_SARS_COV_2 = "ENSSASG"
# A few features of a second organism are spiked in; more is a mixture of cells.
_MIXTURE = 0.1
# Of the names of human files 70 % (many clone names) to 100 % are in the human table and 1 % in the
# other one; of rat symbols 78 % are in mouse, of pig symbols 98 % in human.
_MIN_KNOWN, _MARGIN = 0.3, 3.0


def recognise_species(
    features: Sequence[pd.DataFrame], *, stated: Species | None = None, organism: str | None = None
) -> tuple[Species, Evidence]:
    """Return the species of a dataset and what says so.

    Ids go before the organism, the organism before symbols. Symbols alone cannot tell rat from
    mouse, or monkey, pig and chicken from human, unless genes without a symbol stand there with
    their Ensembl ids: give the species or the organism of such files.

    Parameters
    ----------
    features
        Of ``read_features``, one frame per source file.
    stated
        What the dataset's YAML says; 'other' turns mapping off and is never contradicted.
    organism
        Text such as 'Homo sapiens', 'mouse' or 'NCBITaxon:9606'.

    Raises
    ------
    InputError
        If the ids contradict what is stated, if a file mixes human and mouse, or if the files are
        of different species.
    """
    if stated == "other":
        return stated, "stated"
    by_ids = [_by_ids(frame) for frame in features]
    found = {verdict for verdict in by_ids if verdict is not None}
    if stated and found - {stated}:
        number = next(i for i, verdict in enumerate(by_ids) if verdict not in (None, stated))
        prefix = _votes(features[number]).index[0]
        raise InputError(
            f"species is stated as {stated}, but the gene ids of source file {number + 1} begin "
            f"with {prefix} ({by_ids[number]}): correct species in the dataset's YAML"
        )
    if stated:
        return stated, "stated"
    if found:
        return _one_of(by_ids), "ids"
    if by_text := _by_organism(organism):
        return by_text, "organism"
    by_symbols = [_by_symbols(frame) for frame in features]
    if any(by_symbols):
        return _one_of(by_symbols), "symbols"
    return "other", "nothing"


def _one_of(verdicts: list[Species | None]) -> Species:
    found = sorted({verdict for verdict in verdicts if verdict is not None})
    if len(found) > 1:
        told = ", ".join(f"file {i + 1} {v}" for i, v in enumerate(verdicts) if v is not None)
        raise InputError(
            f"the source files hold genes of different species ({told}): "
            "make one dataset for each species"
        )
    return found[0]


def _votes(frame: pd.DataFrame) -> pd.Series:
    return frame.loc[_is_gene(frame), "prefix"].value_counts()


def _is_gene(frame: pd.DataFrame) -> pd.Series:
    return frame["declared"].isna() | frame["declared"].eq("gene")


def _by_ids(frame: pd.DataFrame) -> Species | None:
    votes = _votes(frame)
    n_human, n_mouse = (int(votes.get(PREFIX[species], 0)) for species in MAPPED_SPECIES)
    if min(n_human, n_mouse) > _MIXTURE * votes.sum():
        raise InputError(
            f"source file {frame['source'].iloc[0] + 1} mixes {n_human} human and {n_mouse} mouse "
            "genes (a mixed-species experiment): split its cells and genes by species first and "
            "make one dataset for each"
        )
    n_genes = int(_is_gene(frame).sum())
    n_other = int(votes.drop([*PREFIX.values(), _OF_SARS_COV_2], errors="ignore").sum())
    # Where symbols are the names, genes without one are still named by their Ensembl id.
    if n_other > max(n_human, n_mouse, _MIXTURE * n_genes):
        return "other"
    if votes.sum() * 2 <= n_genes:
        return None
    return "human" if n_human > n_mouse else "mouse"


def _by_organism(organism: str | None) -> Species | None:
    text = (organism or "").strip().lower()
    if text in MISSING:
        return None
    found = [species for species in MAPPED_SPECIES if re.search(_ORGANISM[species], text)]
    return found[0] if len(found) == 1 else None if found else "other"


def _by_symbols(frame: pd.DataFrame) -> Species | None:
    names = frame.loc[frame["symbol"].notna(), "symbol"].to_numpy(dtype=object)
    if len(names) == 0:
        return None
    known = {
        species: float(np.mean(load_gene_table(species).find_names(names).n_candidates > 0))
        for species in MAPPED_SPECIES
    }
    best, other = sorted(MAPPED_SPECIES, key=lambda species: -known[species])
    is_clear = known[best] >= _MIN_KNOWN and known[best] >= _MARGIN * known[other]
    return best if is_clear else None
