"""Captions of the dataset's further configs: another column, the same cells and splits.

Belongs here: which cells a config holds. What captions state and their words are in ``wording``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adata_assets.annotation.captions.contradictions import find_without_negative
from adata_assets.annotation.captions.wording import state_facts, word_captions
from adata_assets.errors import InputError
from adata_assets.spec import ConfigSpec, DatasetSpec

COLUMNS = ("caption", "caption_facts", "caption_id", "caption_source", "caption_template")
IS_IN = "is_in"


def caption_configs(
    obs: pd.DataFrame, source_obs: pd.DataFrame, known: pd.DataFrame, spec: DatasetSpec
) -> dict[str, pd.DataFrame]:
    """Caption the cells once more for each config that names a caption column.

    Parameters
    ----------
    obs
        Columns ``sample_idx``, ``split``, ``known_facts`` and ``known_terms`` of every raw cell.
    source_obs
        The files' own columns.
    known
        What ``known_of`` returned.

    Returns
    -------
    By name, one row per raw cell: the columns ``COLUMNS`` as in ``ObsSchema`` and ``is_in``, whether
    the config holds the cell.

    Raises
    ------
    InputError
        If a column is not there, or a split is left without cells.
    """
    return {
        config.name: _caption(config, obs, source_obs, known, spec)
        for config in _configs_with_captions(spec, source_obs)
    }


def _configs_with_captions(spec: DatasetSpec, source_obs: pd.DataFrame) -> Iterator[ConfigSpec]:
    for config in spec.configs:
        if config.caption is None:
            continue
        if config.caption not in source_obs:
            raise InputError(
                f"config {config.name}: caption names the obs column {config.caption!r}, which is "
                f"not there; obs columns are {list(source_obs.columns)}"
            )
        yield config


def _caption(
    config: ConfigSpec,
    obs: pd.DataFrame,
    source_obs: pd.DataFrame,
    known: pd.DataFrame,
    spec: DatasetSpec,
) -> pd.DataFrame:
    forced = spec.on_missing_caption == "from_obs"
    stated = state_facts(
        known,
        source_obs[config.caption],
        make_missing=forced,
        need_cell_type="cell_type" in known and not forced,
    )
    words = word_captions(
        stated,
        sample_idx=obs["sample_idx"],
        split=obs["split"],
        rules=spec.captions,
        seed=spec.seed,
        assay=known.get("assay"),
    )
    table = stated.join(words)[list(COLUMNS)]
    table[IS_IN] = _find_members(config, obs, table)
    return table


def _find_members(config: ConfigSpec, obs: pd.DataFrame, table: pd.DataFrame) -> np.ndarray:
    split = obs["split"].where(table["caption_id"].notna(), None)
    asked = table.assign(
        split=split, known_facts=obs["known_facts"], known_terms=obs["known_terms"]
    )
    is_in = split.notna() & find_without_negative(asked)["removed_rule"].isna()
    if empty := sorted(set(obs["split"].dropna()) - set(split[is_in])):
        raise InputError(
            f"config {config.name}: no cell of {', '.join(empty)} has a caption in "
            f"{config.caption!r} that another cell there contradicts; leave the config out, or set "
            "on_missing_caption to from_obs"
        )
    found: np.ndarray = is_in.to_numpy(dtype=bool)
    return found
