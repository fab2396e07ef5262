"""Values of keys, and equal cells, that occur in several splits.

Belongs here: counting them, one obs column at a time and one block of counts at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

# Words in the name of a column whose values are people, samples or runs.
_KEY_WORDS = frozenset(
    [
        *("accession", "batch", "biosample", "cohort", "dataset", "donor"),
        *("experiment", "individual", "lane", "library", "participant", "patient"),
        *("plate", "pool", "project", "replicate", "run", "sample"),
        *("site", "specimen", "study", "subject"),
    ]
)


def looks_like_key(name: str) -> bool:
    """Whether the values of an obs column may be people, samples, studies or runs.

    Examples
    --------
    >>> [looks_like_key(name) for name in ("donor_id", "GEO accession", "sampleID", "tissue")]
    [True, True, True, False]
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return not _KEY_WORDS.isdisjoint(re.split(r"[^a-z]+", words.lower()))


def count_shared_values(
    columns: Iterable[tuple[str, pd.Series]], split: np.ndarray, *, groups: Iterable[str]
) -> pd.DataFrame:
    """Count for each column the values that occur in several splits.

    Parameters
    ----------
    columns
        Name and values of the published cells, str or None; one is held at a time.
    split
        Split of the same cells, ``(n_obs,)``.
    groups
        Columns whose whole groups were dealt.

    Returns
    -------
    ``SharedKeySchema``, in the order of ``columns``. A column with another value in each cell is left
    out: it is an id.
    """
    rows = []
    dealt = set(groups)
    for name, values in columns:
        frame = pd.DataFrame({"value": values.to_numpy(), "split": split}).dropna()
        n_values = frame["value"].nunique()
        if n_values == len(split) > 1 and name not in dealt:
            continue
        is_shared = frame.groupby("value")["split"].nunique() > 1
        shared = is_shared.index[is_shared]
        n_obs = int(frame["value"].isin(shared).sum())
        rows.append((name, name in dealt, n_values, len(shared), n_obs))
    kinds = {"column": object, "is_group": bool} | dict.fromkeys(
        ("n_values", "n_shared", "n_obs_shared"), np.int64
    )
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


def find_shared_cells(
    copies: np.ndarray, sample_idx: np.ndarray, split: np.ndarray
) -> pd.DataFrame:
    """Return the cells that have an equal one in an earlier split.

    Parameters
    ----------
    copies
        The same text for cells with equal counts, None for a cell without, ``(n_obs,)``; cells are
        in dataset order.
    sample_idx, split
        Id and split of each cell.

    Returns
    -------
    ``SharedCellSchema``.

    Examples
    --------
    >>> find_shared_cells(np.array(["x", None, "x"]), np.array(list("abc")),
    ...                   np.array(["train", "train", "test"])).values.tolist()
    [['c', 'test', 'a', 'train']]
    """
    frame = pd.DataFrame({"copy": copies, "sample_idx": sample_idx, "split": split})
    frame = frame.dropna(subset=["copy"])
    first = frame.groupby("copy", sort=False)[["sample_idx", "split"]].transform("first")
    frame["equal_to"], frame["equal_split"] = first["sample_idx"], first["split"]
    found = frame.loc[frame["split"] != frame["equal_split"]]
    names = ["sample_idx", "split", "equal_to", "equal_split"]
    return found[names].astype(object).reset_index(drop=True)
