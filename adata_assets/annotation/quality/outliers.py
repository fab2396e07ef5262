"""Cells far from the other cells of their kind: thresholds in median absolute deviations.

Belongs here: rules learnt from many cells. They are learnt from train cells, or from one batch that
lies in one split, and applied to every cell that the fixed rules left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adata_assets.errors import InputError
from adata_assets.spec import MadRules, QCRules

# Makes the median absolute deviation of normal values their standard deviation: 1 / Φ⁻¹(3/4).
MAD_SCALE = 1.4826
# Of fewer cells the deviation itself is off by a third (its standard error is 1.17 / sqrt(n)).
MIN_OBS = 20
METRICS = ("n_counts", "n_genes", "pct_mt")
POOLED = "all train cells"

_COLUMNS = ("batch", "metric", "low", "high", "median", "mad", "n_obs", "note")


@dataclass(frozen=True)
class Outliers:
    """What the rules remove and by which thresholds.

    Attributes
    ----------
    removals
        Columns ``removed_rule`` (``mad_<metric>``) and ``removed_value`` (str), None where a cell
        stays; index of the values.
    thresholds
        One row per batch and metric. ``batch`` is ``all train cells`` for pooled ones. ``low`` and
        ``high`` are in counts, genes and percent, and cells on them stay; NaN: no bound. ``median``
        and ``mad`` (× 1.4826) are of log1p of counts and genes, and of plain percent. ``n_obs``
        cells were learnt from. ``note`` says why a rule was skipped, else it is empty.
    warnings
        What a reader of the log should know.
    """

    removals: pd.DataFrame
    thresholds: pd.DataFrame
    warnings: tuple[str, ...]


def find_outliers(
    values: pd.DataFrame,
    *,
    split: pd.Series,
    batch: pd.Series | None,
    rules: QCRules,
    is_low_quality: pd.Series | None = None,
) -> Outliers:
    """Find cells whose counts, genes or mitochondrial share lie far from the median.

    A value x is an outlier when ``|x - median| > k · 1.4826 · median(|x - median|)`` (Leys et al.
    2013, doi:10.1016/j.jesp.2013.03.013; on cells: Germain et al. 2020,
    doi:10.1186/s13059-020-02136-7). Log1p of counts and genes on both sides, mitochondrial share on
    the upper side and never above ``max_pct_mt``.

    Parameters
    ----------
    values
        ``n_counts``, ``n_genes`` and ``pct_mt`` (percent) of every cell. A metric that says nothing,
        as of a gene subset, is NaN.
    split
        Split of each cell, None for those that are already removed.
    batch
        Batch of each cell (None: unknown), read with ``rules.mad.per_batch``; cells of an unknown
        batch, and of batches that give no threshold of their own, get the pooled ones.
    rules
        ``mad`` holds the numbers k; without it nothing is removed.
    is_low_quality
        Which cells the fixed rules removed, by default all without a split. A batch that lost more
        than half of its cells to them gets no thresholds of its own: what is left of it is no
        sample of good cells.

    Raises
    ------
    InputError
        If thresholds per batch are asked for without a batch, or a batch lies in several splits.

    Examples
    --------
    >>> values = pd.DataFrame({"n_counts": [*range(990, 1011), 9], "n_genes": 500, "pct_mt": 2.0})
    >>> split = pd.Series("train", index=values.index)
    >>> found = find_outliers(values, split=split, batch=None, rules=QCRules(mad=MadRules()))
    >>> found.removals.dropna().to_dict("index")
    {21: {'removed_rule': 'mad_n_counts', 'removed_value': '9'}}
    >>> found.warnings[0]
    'all train cells: n_genes does not vary (MAD is 0), so its rule is skipped'
    """
    nothing = np.full((len(values), 2), None, dtype=object)
    removals = pd.DataFrame(nothing, values.index, ["removed_rule", "removed_value"])
    if rules.mad is None:
        return Outliers(removals, pd.DataFrame(columns=list(_COLUMNS)), ())
    numbers = values[list(METRICS)].astype(np.float64)
    alive = split.notna()
    pooled = _learn(numbers[split == "train"], rules.mad, rules.max_pct_mt, POOLED)
    learnt = {POOLED: pooled}
    warnings: list[str] = []
    of_cell = pd.Series(POOLED, index=values.index, dtype=object)
    if rules.mad.per_batch:
        batch = _require_batches(batch, split)
        lost = (split.isna() if is_low_quality is None else is_low_quality).groupby(batch).mean()
        own, warnings = _own_thresholds(
            numbers[alive], batch[alive], lost, rules.mad, rules.max_pct_mt
        )
        learnt |= own
        of_cell = of_cell.where(~batch.isin(list(own)), batch)
    for name, table in learnt.items():
        cells = numbers[alive & (of_cell == name)]
        _mark(removals, cells, values, table)
        notes = table["note"] if len(cells) else []
        warnings += [f"{name}: {note}" for note in notes if note]
    return Outliers(removals, pd.concat(learnt.values(), ignore_index=True), tuple(warnings))


def _require_batches(batch: pd.Series | None, split: pd.Series) -> pd.Series:
    if batch is None:
        raise InputError(
            "qc.mad.per_batch needs batches: set keys.batch to an obs column, or per_batch to false"
        )
    splits = split.groupby(batch).unique().map(lambda names: [name for name in names if name])
    if len(torn := splits[splits.map(len) > 1]):
        raise InputError(
            f"qc.mad.per_batch: batch {torn.index[0]!r} lies in {' and '.join(torn.iloc[0])}, so "
            "its thresholds would be learnt from cells of several splits; set keys.group to the "
            "batch column so that splits keep batches whole, or qc.mad.per_batch to false"
        )
    return batch


def _own_thresholds(
    numbers: pd.DataFrame,
    batch: pd.Series,
    lost: pd.Series,
    mad: MadRules,
    max_pct_mt: float | None,
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    own, warnings = {}, []
    sizes = batch.value_counts().reindex(lost.index, fill_value=0)
    instead = "the thresholds of all train cells apply to the others"
    for name in lost.index:
        if lost[name] > 0.5:
            warnings.append(
                f"batch {name}: the fixed rules removed {100 * lost[name]:.0f} % of its cells, so "
                f"it gets no MAD rule of its own; {instead}"
            )
        elif sizes[name] < MIN_OBS:
            warnings.append(
                f"batch {name}: {sizes[name]} cells are too few for a MAD rule of its own; {instead}"
            )
        else:
            own[name] = _learn(numbers[batch == name], mad, max_pct_mt, name)
    if n_unknown := int(batch.isna().sum()):
        warnings.append(f"{n_unknown} cells have no batch: the thresholds of all train cells apply")
    return own, warnings


def _learn(
    numbers: pd.DataFrame, mad: MadRules, max_pct_mt: float | None, name: str
) -> pd.DataFrame:
    logs = np.log1p(numbers[["n_counts", "n_genes"]])
    rows = [
        _threshold(name, "n_counts", logs["n_counts"].to_numpy(), mad.n_counts),
        _threshold(name, "n_genes", logs["n_genes"].to_numpy(), mad.n_genes),
        _threshold(name, "pct_mt", numbers["pct_mt"].to_numpy(), mad.pct_mt),
    ]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    is_log = table["metric"] != "pct_mt"
    for bound in ("low", "high"):
        table[bound] = table[bound].where(~is_log, np.expm1(table[bound]))
    # The upper side only: few mitochondrial counts are no defect.
    table.loc[~is_log, "low"] = np.nan
    if max_pct_mt is not None:
        table.loc[~is_log, "high"] = table.loc[~is_log, "high"].clip(upper=max_pct_mt)
    return table


def _threshold(name: str, metric: str, seen: np.ndarray, k: float | None) -> tuple[object, ...]:
    seen = seen[np.isfinite(seen)]
    nothing = (np.nan,) * 4
    if k is None:
        return (name, metric, *nothing, len(seen), "")
    if len(seen) < MIN_OBS:
        note = f"{metric} is known of {len(seen)} cells, fewer than {MIN_OBS}: its rule is skipped"
        return (name, metric, *nothing, len(seen), note)
    median = float(np.median(seen))
    mad = MAD_SCALE * float(np.median(np.abs(seen - median)))
    if mad == 0:
        note = f"{metric} does not vary (MAD is 0), so its rule is skipped"
        return (name, metric, np.nan, np.nan, median, mad, len(seen), note)
    return (name, metric, median - k * mad, median + k * mad, median, mad, len(seen), "")


def _mark(
    removals: pd.DataFrame, numbers: pd.DataFrame, values: pd.DataFrame, table: pd.DataFrame
) -> None:
    for row in table.itertuples():
        metric = str(row.metric)
        outside = (numbers[metric] < row.low) | (numbers[metric] > row.high)
        rows = numbers.index[outside & removals.loc[numbers.index, "removed_rule"].isna()]
        removals.loc[rows, "removed_rule"] = f"mad_{metric}"
        seen = values.loc[rows, metric]
        texts = seen.round(4) if metric == "pct_mt" else seen
        removals.loc[rows, "removed_value"] = texts.astype(str).astype(object)
