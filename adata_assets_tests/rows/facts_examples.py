"""Cells with facts for the tests of this folder, and the rule restated for two of them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from adata_assets.rows.facts import FactClasses, build_fact_classes

FIELDS = ("cell_type", "tissue", "sex")


def make_cells(n_cells: int, *, seed: int = 0, given: float = 0.4) -> pd.DataFrame:
    """Random facts with holes; made captions state some known fields, given ones are shared."""
    rng = np.random.default_rng(seed)
    cells = pd.DataFrame(
        {
            "cell_type": rng.choice(
                ["T cell", "B cell", "NK cell", None], n_cells, p=[0.6, 0.2, 0.1, 0.1]
            ),
            "tissue": rng.choice(["lung", "blood", None], n_cells),
            "sex": rng.choice(["male", "female", None], n_cells),
        }
    )
    is_given = rng.random(n_cells) < given
    facts, ids = [], []
    for row, free in zip(cells.to_dict("records"), is_given, strict=True):
        known = {f: v for f, v in row.items() if isinstance(v, str) and rng.random() < 0.8}
        facts.append({} if free else known)
        ids.append(f"free {rng.integers(30)}" if free else json.dumps(known))
    cells["caption_id"] = ids
    cells["caption_source"] = np.where(is_given, "given", "made")
    cells["caption_facts"] = [json.dumps(f) for f in facts]
    return cells


def classes_of(cells: pd.DataFrame) -> FactClasses:
    return build_fact_classes(
        cells["caption_id"], cells["caption_source"], cells["caption_facts"], cells[list(FIELDS)]
    )


def contradicts(anchor: dict[str, object], other: dict[str, object]) -> bool:
    """The rule on the cells themselves, without classes or codes."""

    def differ(field: str) -> bool:
        mine, its = anchor[field], other[field]
        return isinstance(mine, str) and isinstance(its, str) and mine != its

    if anchor["caption_source"] == "given":
        both = isinstance(anchor["cell_type"], str) and isinstance(other["cell_type"], str)
        return differ("caption_id") and (not both or differ("cell_type"))
    if anchor["caption_source"] != "made":
        return False
    return any(differ(field) for field in json.loads(str(anchor["caption_facts"])))
