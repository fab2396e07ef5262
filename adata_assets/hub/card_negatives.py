"""What the card says about negatives that are not drawn from all cells alike.

Belongs here: the kinds of negatives in words, and how many there are of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adata_assets.hub.markdown import code_span, table
from adata_assets.spec import DatasetSpec

# The folder of the default config's rows.
_ROWS = "data/"


def describe_negatives(
    spec: DatasetSpec,
    counts: Mapping[str, Mapping[str, int]],
    hard_by: Mapping[str, Any] | None = None,
) -> str:
    """Return how negatives were drawn and a table of their kinds; empty if all are drawn alike.

    Parameters
    ----------
    counts
        For each table, ``<folder>/<split>``, its negatives of each kind.
    hard_by
        The space in which hard ones are near, as the manifest states it.

    Examples
    --------
    >>> spec = DatasetSpec(dataset_id="demo", title="Demo", source="a.h5ad", chunks={"count": 3},
    ...                    keys={"batch": "lane"}, negatives={"same_batch_share": 0.5})
    >>> counts = {"data/train": {"uniform": 1040, "same_batch": 960, "hard": 0}}
    >>> print(describe_negatives(spec, counts).partition("\\n\\n")[2])
    | split | same batch | uniform |
    | --- | --- | ---: |
    | `train` | 960 | 1,040 |
    """
    rules = spec.negatives
    if spec.format == "single" or not (rules.same_batch_share or rules.hard_share):
        return ""
    said = []
    if rules.same_batch_share:
        said.append(
            f"A share of {rules.same_batch_share:g} of the negatives was drawn from the anchor's "
            "own batch where that has valid ones."
        )
    if hard_by is not None:
        said.append(
            f"A share of {rules.hard_share:g} of the negatives is hard: of the valid ones among "
            f"{hard_by['n_looked_at']} cells of the split, drawn at random (all of a smaller "
            "one), the one whose "
            f"{code_span('X_' + hard_by['embedder'])} is nearest to the anchor's by "
            f"{hard_by['measure']} (model hash {code_span(hard_by['model_hash'])})."
        )
    said.append("The others are uniform over all valid cells of the split. Negatives by kind:")
    return f"{' '.join(said)}\n\n{_count_kinds(spec, counts)}"


def _count_kinds(spec: DatasetSpec, counts: Mapping[str, Mapping[str, int]]) -> str:
    shares = {
        "same_batch": spec.negatives.same_batch_share,
        "hard": spec.negatives.hard_share,
        "uniform": 1.0,
    }
    shown = [kind for kind, share in shares.items() if share]
    rows = [
        [code_span(name.removeprefix(_ROWS)), *(f"{own[kind]:,}" for kind in shown)]
        for name, own in counts.items()
        if name.startswith(_ROWS)
    ]
    return table(["split", *(kind.replace("_", " ") for kind in shown)], rows)
