"""Which published cells have a caption that no cell of their split contradicts.

Belongs here: rows of obs turned into fact classes. The rule is in ``rows.facts``.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from adata_assets.annotation.captions.wording import FACT_FIELDS
from adata_assets.rows.facts import FactClasses, build_fact_classes, classes_without_negative
from adata_assets.spec import SPLITS


def fact_classes(obs: pd.DataFrame) -> FactClasses:
    """Return the fact classes of captioned cells (``ObsSchema`` rows)."""
    codes, distinct = pd.factorize(obs["known_facts"])
    known = pd.DataFrame(map(json.loads, distinct), columns=list(FACT_FIELDS), dtype=object)
    rows = known.take(codes).set_axis(obs.index)
    return build_fact_classes(obs["caption_id"], obs["caption_source"], obs["caption_facts"], rows)


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
