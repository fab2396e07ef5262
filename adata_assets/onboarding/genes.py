"""What the features of a file are called, and whose genes they are.

Belongs here: a short report of the gene table that a build would make.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from adata_assets.annotation.genes.build import build_genes
from adata_assets.annotation.genes.features import clean_names

_ENSEMBL = r".*ENS[A-Z]{0,6}?G\d{11}.*"


@dataclass(frozen=True)
class GenesLook:
    """The features of a file.

    Attributes
    ----------
    names
        What the var index holds: ``Ensembl ids``, ``symbols`` or ``numbers``.
    id_columns
        var columns that hold Ensembl ids.
    species, species_by
        human, mouse or other; ``ids``, ``organism``, ``symbols`` or ``nothing`` says so.
    n_features, n_mapped, n_repeated
        All of them; those with a current or retired Ensembl id after mapping; those whose name
        stands there more than once.
    examples
        The first names.
    """

    names: str
    id_columns: tuple[str, ...]
    species: str
    species_by: str
    n_features: int
    n_mapped: int
    n_repeated: int
    examples: tuple[str, ...]


def describe_genes(var: pd.DataFrame, organism: str | None) -> GenesLook:
    """Describe the features behind the counts.

    Parameters
    ----------
    var
        Of the slot with the counts.
    organism
        What obs says of the organism.

    Raises
    ------
    InputError
        If the features cannot be told apart, or are of several species.

    Examples
    --------
    >>> found = describe_genes(pd.DataFrame(index=["Cd4", "Cd8a", "Gapdh"]), None)
    >>> found.names, found.species, found.species_by, found.n_mapped
    ('symbols', 'mouse', 'symbols', 3)
    """
    genes = build_genes([var], organism=organism)
    mapped = genes.features["mapped_by"].ne("none")
    index = clean_names(var.index)
    return GenesLook(
        names=_kind_of_names(index),
        id_columns=tuple(_id_columns(var)),
        species=genes.species,
        species_by=genes.species_by,
        n_features=len(var),
        n_mapped=int(mapped.sum()),
        n_repeated=int(index.duplicated(keep=False).sum()),
        examples=tuple(str(name) for name in index.head(3)),
    )


def _kind_of_names(index: pd.Series) -> str:
    known = index.dropna().astype(str)
    if known.str.fullmatch(_ENSEMBL).mean() > 0.5:
        return "Ensembl ids"
    return "numbers" if len(known) and known.str.fullmatch(r"\d+").all() else "symbols"


def _id_columns(var: pd.DataFrame) -> list[str]:
    found = []
    for place, name in enumerate(map(str, var.columns)):
        first = clean_names(var.iloc[:1000, place]).dropna().astype(str)
        if len(first) and first.str.fullmatch(_ENSEMBL).mean() > 0.5:
            found.append(name)
    return found
