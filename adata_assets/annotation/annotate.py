"""From a raw file to annotated cells, in the order cleaning, splitting, dataset order.

Belongs here: the order of the steps and the tables that come out. Each step is elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adata_assets.annotation.captions import FACT_FIELDS, caption_cells
from adata_assets.annotation.counts import CountsPlace, find_counts, open_counts_reading
from adata_assets.annotation.genes import Genes, build_genes
from adata_assets.annotation.keys import read_totals, require_ids, resolve_keys
from adata_assets.annotation.ledger import build_ledger
from adata_assets.annotation.measure import CellMetrics, measure_cells
from adata_assets.annotation.quality import find_removals, first_reason, percent
from adata_assets.annotation.values import clean_values
from adata_assets.errors import InputError
from adata_assets.matrix.source import read_obs, read_var
from adata_assets.rows.facts import FactClasses, build_fact_classes, classes_without_negative
from adata_assets.schemas.annotated import ObsSchema
from adata_assets.spec import SPLITS, DatasetSpec
from adata_assets.splitting.assign import assign_by_cell, assign_by_group
from adata_assets.splitting.chunks import deal_chunks, order_cells, sizes_of


@dataclass(frozen=True)
class AnnotatedObs:
    """What ``annotated_obs`` stores.

    Attributes
    ----------
    obs
        ``ObsSchema``, one row per raw cell in source order.
    source_obs
        The file's own obs columns, untouched, in the same order.
    genes
        Gene table and the way from source features to genes.
    ledger
        ``LedgerSchema``.
    facts
        Small facts for later stages: where the counts are, split sizes, how cells were split.
    warnings
        What a reader of the log should know.
    """

    obs: pd.DataFrame
    source_obs: pd.DataFrame
    genes: Genes
    ledger: pd.DataFrame
    facts: dict[str, Any]
    warnings: tuple[str, ...]


def annotate(path: Path, spec: DatasetSpec, *, scratch: Path) -> AnnotatedObs:
    """Annotate every cell of a raw h5ad file.

    Raises
    ------
    InputError
        Where the file does not fit the spec: missing columns, repeated ids, no counts, nothing
        left, groups that cannot be dealt. Says what was found and the way out.
    """
    source_obs = read_obs(path)
    sample_idx = require_ids(source_obs, path)
    keys = resolve_keys(source_obs, spec, path)
    totals = read_totals(source_obs, keys["totals"])
    place = find_counts(path, totals=totals, scratch=scratch)
    genes = build_genes(
        read_var(path, place.slot), id_key=spec.keys.gene_id, symbol_key=spec.keys.gene_symbol
    )
    with open_counts_reading(path, place, totals=totals, scratch=scratch) as blocks:
        metrics = measure_cells(blocks, genes, n_obs=len(source_obs))
    total_counts = _total_counts(metrics, totals, path)
    obs = pd.DataFrame({"sample_idx": sample_idx})
    obs["total_counts_source"] = total_counts
    obs["n_counts"] = metrics.n_counts
    obs["n_genes_source"] = metrics.n_genes
    obs["pct_mt_source"] = percent(metrics.n_counts_mt, metrics.n_counts)
    obs = obs.join(_caption(source_obs, keys, spec))
    is_gene_subset = bool((total_counts > metrics.n_counts).any())
    obs = obs.join(_clean(obs, source_obs, metrics, spec, keys, is_gene_subset=is_gene_subset))
    split_by = "group" if keys["group"] and spec.splits.split_by != "cell" else "cell"
    obs["split"] = _split(obs, spec, split_by)
    _drop_without_negative(obs, spec)
    obs["keep"] = obs["removed_rule"].isna()
    obs["position"] = order_cells(obs["split"], obs["group"] if split_by == "group" else None)
    facts: dict[str, Any] = {
        "counts": vars(place),
        "keys": keys,
        "split_by": split_by,
        "is_gene_subset": is_gene_subset,
        "split_sizes": _require_splits(obs, spec),
        "n_groups": _count_groups(obs) if split_by == "group" else None,
        "n_raw": len(obs),
    }
    if spec.chunks.count is not None:
        # Told before anything is stored; the chunks themselves are dealt later.
        deal_chunks(facts["split_sizes"], spec.chunks.count)
    obs = obs[list(ObsSchema.to_schema().columns)]
    ledger = build_ledger(obs, source=path.name)
    return AnnotatedObs(obs, source_obs, genes, ledger, facts, _warn_of_losses(obs))


def _warn_of_losses(obs: pd.DataFrame) -> tuple[str, ...]:
    gone = obs["removed_rule"].value_counts()
    if gone.sum() * 2 <= len(obs):
        return ()
    return (f"{gone.sum()} of {len(obs)} cells were removed: {gone.to_dict()}; see the ledger",)


def _total_counts(metrics: CellMetrics, totals: np.ndarray | None, path: Path) -> np.ndarray:
    if totals is None:
        return metrics.n_counts
    stated = totals.astype(np.int64)
    if (short := stated < metrics.n_counts).any():
        row = int(np.flatnonzero(short)[0])
        raise InputError(
            f"{path.name}, cell {row}: the stated total {stated[row]} is below the sum of its "
            f"counts {metrics.n_counts[row]}; keys.totals names the wrong column"
        )
    return stated


def _caption(
    source_obs: pd.DataFrame, keys: dict[str, str | None], spec: DatasetSpec
) -> pd.DataFrame:
    columns = {field: field for field in FACT_FIELDS if field in source_obs}
    columns |= {"cell_type": keys["cell_type"]} if keys["cell_type"] else {}
    columns |= {"assay": keys["instrument"]} if keys["instrument"] else {}
    ordered = [field for field in FACT_FIELDS if field in columns]
    plain = source_obs.reset_index(drop=True)
    known = pd.DataFrame({f: clean_values(plain[columns[f]]) for f in ordered}, index=plain.index)
    forced = spec.on_missing_caption == "from_obs"
    captions = caption_cells(
        known,
        plain[keys["caption"]] if keys["caption"] else None,
        make_missing=forced,
        need_cell_type="cell_type" in known and not forced,
    )
    captions["cell_type"] = known.get("cell_type", pd.Series(None, index=plain.index, dtype=object))
    group = keys["group"]
    captions["group"] = (
        clean_values(plain[group]) if group else pd.Series(None, index=plain.index, dtype=object)
    )
    return captions


def _clean(
    obs: pd.DataFrame,
    source_obs: pd.DataFrame,
    metrics: CellMetrics,
    spec: DatasetSpec,
    keys: dict[str, str | None],
    *,
    is_gene_subset: bool,
) -> pd.DataFrame:
    removals = find_removals(
        metrics,
        spec.qc,
        sample_idx=obs["sample_idx"],
        is_primary_data=source_obs.get("is_primary_data"),
        is_gene_subset=is_gene_subset,
    )
    nothing = np.full(len(obs), "missing", dtype=object)
    more = [("quality", removals["removed_rule"].notna().to_numpy(), nothing)]
    if keys["group"] and spec.splits.split_by != "cell":
        more.append(("no_group", obs["group"].isna().to_numpy(), nothing))
    if spec.format != "single":
        without = obs["caption"].isna().to_numpy()
        if spec.on_missing_caption == "error" and (without & ~more[0][1]).any():
            row = int(np.flatnonzero(without & ~more[0][1])[0])
            raise InputError(
                f"{int((without & ~more[0][1]).sum())} cells have no caption (first: "
                f"{obs['sample_idx'].iloc[row]!r}); set on_missing_caption to remove or from_obs"
            )
        more.append(("no_caption", without, nothing))
    later = first_reason(more, len(obs))
    is_later = removals["removed_rule"].isna()
    return removals.where(~is_later, later)


def _split(obs: pd.DataFrame, spec: DatasetSpec, split_by: str) -> pd.Series:
    survivors = obs[obs["removed_rule"].isna()]
    if survivors.empty:
        raise InputError(
            f"no cells are left of {len(obs)}: removed by "
            f"{obs['removed_rule'].value_counts().to_dict()}; loosen qc, or see on_missing_caption"
        )
    fractions = spec.splits.fractions
    if split_by == "group":
        assigned = assign_by_group(survivors["group"], fractions)
    else:
        assigned = assign_by_cell(survivors["sample_idx"], fractions, seed=spec.seed)
    return assigned.reindex(obs.index).astype(object).where(lambda s: s.notna(), None)


def fact_classes(obs: pd.DataFrame) -> FactClasses:
    """Return the fact classes of captioned cells (``ObsSchema`` rows)."""
    codes, distinct = pd.factorize(obs["known_facts"])
    known = pd.DataFrame(map(json.loads, distinct), columns=list(FACT_FIELDS), dtype=object)
    rows = known.take(codes).set_axis(obs.index)
    return build_fact_classes(obs["caption_id"], obs["caption_source"], obs["caption_facts"], rows)


def _drop_without_negative(obs: pd.DataFrame, spec: DatasetSpec) -> None:
    if spec.format == "single":
        return
    alive = obs[obs["split"].notna()]
    split_of = pd.Categorical(alive["split"], categories=list(SPLITS)).codes
    gone = alive.index[classes_without_negative(fact_classes(alive), split_of.astype(np.int8))]
    obs.loc[gone, "removed_rule"] = "no_valid_negative"
    obs.loc[gone, "removed_value"] = alive.loc[gone, "caption_id"]
    obs.loc[gone, "split"] = None


def _require_splits(obs: pd.DataFrame, spec: DatasetSpec) -> dict[str, int]:
    sizes = sizes_of(obs["split"])
    if empty := [split for split in spec.splits.fractions if split not in sizes]:
        raise InputError(
            f"no cells with two contradicting captions are left in {', '.join(empty)}: negatives "
            f"cannot be drawn there (removed: {obs['removed_rule'].value_counts().to_dict()}); "
            "set format to single, or ask for other splits"
        )
    return sizes


def _count_groups(obs: pd.DataFrame) -> dict[str, int]:
    counts = obs[obs["split"].notna()].groupby("split")["group"].nunique()
    return {name: int(counts[name]) for name in SPLITS if name in counts}


def place_of(facts: dict[str, Any]) -> CountsPlace:
    """Return where the counts are, as an earlier ``annotate`` found it."""
    return CountsPlace(**facts["counts"])
