"""Which published cells have a caption that no cell of their split contradicts.

Belongs here: rows of obs turned into fact classes. The rule is in ``rows.contradictions``.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from adata_assets.annotation.captions.wording import FACT_FIELDS
from adata_assets.annotation.harmonised.ontology import ONTOLOGY_FIELDS, ancestors_of
from adata_assets.rows.contradictions import classes_without_negative
from adata_assets.rows.facts import FactClasses, build_fact_classes
from adata_assets.spec import SPLITS

_TERM_FIELDS = [field for field in FACT_FIELDS if field in ONTOLOGY_FIELDS]


def fact_classes(obs: pd.DataFrame) -> FactClasses:
    """Return the fact classes of captioned cells (``ObsSchema`` rows)."""
    return build_fact_classes(
        obs["caption_id"],
        obs["caption_source"],
        obs["caption_facts"],
        _read_objects(obs["known_facts"], list(FACT_FIELDS)),
        terms=_read_objects(obs["known_terms"], _TERM_FIELDS),
        ancestors=ancestors_of,
    )


def _read_objects(texts: pd.Series, fields: list[str]) -> pd.DataFrame:
    codes, distinct = pd.factorize(texts)
    rows = pd.DataFrame(map(json.loads, distinct), columns=fields, dtype=object)
    return rows.take(codes).set_axis(texts.index)


def find_without_negative(obs: pd.DataFrame) -> pd.DataFrame:
    """Find the cells of a split that no other cell of it contradicts.

    Returns
    -------
    Columns ``removed_rule`` and ``removed_value``, None where a cell stays.
    """
    alive = obs[obs["split"].notna()]
    split_of = pd.Categorical(alive["split"], categories=list(SPLITS)).codes
    gone = alive.index[classes_without_negative(fact_classes(alive), split_of.astype(np.int8))]
    nothing = np.full(len(obs), None)
    found = pd.DataFrame({"removed_rule": nothing, "removed_value": nothing}, index=obs.index)
    found.loc[gone, "removed_rule"] = "no_valid_negative"
    found.loc[gone, "removed_value"] = alive.loc[gone, "caption_id"]
    return found
