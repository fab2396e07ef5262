"""How many of a model's genes a dataset has, and what it means that some are missing.

Belongs here: the share, when it is told, when it is refused, and the likely reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

from adata_assets.embedders.base.cells import CellBlock
from adata_assets.embedders.base.model import FrozenModel
from adata_assets.errors import InputError

WARN_BELOW, REFUSE_BELOW = 0.8, 0.5
_ENSEMBL = re.compile(r"ENS([A-Z]*)G\d+(\.\d+)?")
_SPECIES = {"": "human Ensembl ids", "MUS": "mouse Ensembl ids"}
_NAMES = "names that are no Ensembl ids"
_N_NAMED = 3


def match_genes(model: FrozenModel, cells: CellBlock) -> float | None:
    """Return the share of the model's genes that the dataset has; None if it names no genes."""
    if not model.gene_ids:
        return None
    return float((cells.columns_of(model.gene_ids) >= 0).mean())


def judge_gene_match(model: FrozenModel, cells: CellBlock, *, label: str) -> str | None:
    """Return a warning if genes of the model are missing in the dataset, None if few are.

    Parameters
    ----------
    label
        What messages call it: dataset and embedder.

    Raises
    ------
    InputError
        If the dataset has less than half of the genes: says how many, and the likely reason.
    """
    share = match_genes(model, cells)
    if share is None or share >= WARN_BELOW:
        return None
    said = (
        f"{label}: the dataset has {share:.1%} of the {len(model.gene_ids):,} genes of the model; "
        f"{_explain(model, cells)}"
    )
    if share < REFUSE_BELOW:
        raise InputError(f"{said}. Below {REFUSE_BELOW:.0%} its vectors would mean nothing")
    return f"{said}. Missing genes count as 0"


def _explain(model: FrozenModel, cells: CellBlock) -> str:
    genes = np.array(model.gene_ids, dtype=object)
    is_missing = cells.columns_of(model.gene_ids) < 0
    missing, ours = list(genes[is_missing]), list(cells.gene_ids)
    theirs, own = _kind_of(missing), _kind_of(ours)
    if theirs != own:
        return (
            f"the missing ones have {theirs} ({', '.join(missing[:_N_NAMED])}), those of the "
            f"dataset {own} ({', '.join(map(str, ours[:_N_NAMED]))}): take a model of the same "
            "species and the same kind of ids, or a source whose genes have Ensembl ids"
        )
    return (
        f"missing are {', '.join(missing[:_N_NAMED])} and others, although both have {own}: genes "
        "were left out of the source, or its annotation is of another release"
    )


def _kind_of(ids: Iterable[str]) -> str:
    kinds = Counter(
        found[1] if (found := _ENSEMBL.fullmatch(str(name))) else None for name in ids
    ).most_common(1)
    prefix = kinds[0][0] if kinds else None
    if prefix is None:
        return _NAMES
    return _SPECIES.get(prefix, f"Ensembl ids of another species (ENS{prefix}G…)")
