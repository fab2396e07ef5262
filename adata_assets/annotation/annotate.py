"""From raw files to annotated cells, in the order cleaning, splitting, learning, dataset order.

Belongs here: the order of the steps and the tables that come out. Each step is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adata_assets.annotation.captions.configs import caption_configs
from adata_assets.annotation.captions.contradictions import find_without_negative
from adata_assets.annotation.captions.known import columns_of_facts, known_of, label_cells
from adata_assets.annotation.captions.known_terms import find_terms
from adata_assets.annotation.captions.wording import word_captions
from adata_assets.annotation.cleaning import Cleaning, clean_cells
from adata_assets.annotation.dealing import (
    CONFLICT,
    deal_survivors,
    describe_dealing,
    group_cells,
)
from adata_assets.annotation.first_pass import FirstPass, read_once
from adata_assets.annotation.genes.build import Genes, report_genes
from adata_assets.annotation.harmonised.harmonise import Harmonised
from adata_assets.annotation.harmonised.new_columns import make_columns
from adata_assets.annotation.harmonised.privacy import choose_published
from adata_assets.annotation.keys import read_totals, resolve_groups, resolve_keys
from adata_assets.annotation.learnt import learn_from_train
from adata_assets.annotation.quality.rules import percent
from adata_assets.annotation.raw_cells import RawCells, load_raw_cells
from adata_assets.errors import InputError
from adata_assets.schemas.annotated import ObsSchema
from adata_assets.sources.raw import RawFile
from adata_assets.spec import SPLITS, DatasetSpec
from adata_assets.splitting.balance import find_surplus
from adata_assets.splitting.chunks import deal_chunks, order_cells, sizes_of
from adata_assets.splitting.components import Group


@dataclass(frozen=True)
class AnnotatedObs:
    """What ``annotated_obs`` stores.

    Attributes
    ----------
    obs
        ``ObsSchema``, one row per raw cell in source order.
    source_obs
        The files' own obs columns, untouched, in the same order.
    harmonised
        New columns beside them and what was found on the way.
    genes
        Gene table and the way from source features to genes.
    gene_report
        Genes and UMIs by how they were mapped.
    facts
        Small facts for later stages and for people (JSON).
    warnings
        What a reader of the log should know.
    locked
        Groups that are locked to splits from now on; None when cells were dealt one by one.
    configs
        Captions of the further configs that have their own, one row per raw cell.
    """

    obs: pd.DataFrame
    source_obs: pd.DataFrame
    harmonised: Harmonised
    genes: Genes
    gene_report: pd.DataFrame
    facts: dict[str, Any]
    warnings: tuple[str, ...]
    locked: Mapping[Group, str] | None
    configs: dict[str, pd.DataFrame] = field(default_factory=dict)


def annotate(
    files: Sequence[RawFile],
    spec: DatasetSpec,
    *,
    scratch: Path,
    cache: Path,
    locked: Mapping[Group, str] | None = None,
) -> AnnotatedObs:
    """Annotate every cell of the raw files.

    Parameters
    ----------
    cache
        File of what archives said about accessions; made when ``harmonise.accession`` is set.
    locked
        Groups that were dealt before, with their splits.

    Raises
    ------
    InputError
        Where the files do not fit the spec: missing columns, repeated ids, no counts, nothing
        left, groups that cannot be dealt. Says what was found and the way out.
    """
    raw = load_raw_cells(files)
    groups = resolve_groups(raw.obs, spec, raw.label)
    keys = resolve_keys(raw.obs, spec, raw.label)
    published = raw.obs[choose_published(raw.obs, spec.publish_obs, spec.drop_obs)]
    totals = read_totals(raw.obs, keys["totals"])
    first = read_once(raw, spec, totals=totals, scratch=scratch)
    known = known_of(published, keys)
    stated = label_cells(raw.obs, known, keys, spec)
    obs = _describe_cells(raw, first, totals).join(stated)
    obs["group"] = group_cells(raw.obs, groups)
    obs["known_terms"] = find_terms(
        known, published, columns_of_facts(published, keys), species=first.genes.species
    )
    is_gene_subset = bool((obs["total_counts_source"] > obs["n_counts"]).any())
    cleaning = clean_cells(raw, obs, first.metrics, spec, keys, is_gene_subset=is_gene_subset)
    obs = _leave_uncontradicted(obs.join(cleaning.removals), spec)
    split_by = "group" if groups and spec.splits.split_by != "cell" else "cell"
    dealt = deal_survivors(
        obs, raw.obs, first.metrics, spec, groups, split_by=split_by, locked=locked or {}
    )
    obs["split"] = dealt.split
    obs.loc[dealt.left_out.index, "removed_rule"] = CONFLICT
    obs.loc[dealt.left_out.index, "removed_value"] = dealt.left_out
    learnt = learn_from_train(obs, raw.obs, spec, keys, is_gene_subset=is_gene_subset)
    obs["batch"], obs["depth_mode"] = learnt.batch, learnt.depth_mode
    _remove(obs, learnt.outliers)
    _remove(obs, _find_surplus(obs, spec))
    if spec.format != "single":
        _remove(obs, find_without_negative(obs))
    obs["keep"] = obs["removed_rule"].isna()
    obs["position"] = order_cells(obs["split"], obs["group"] if split_by == "group" else None)
    words = _word(stated, obs, spec, known.get("assay"))
    facts = _facts(raw, first, spec, obs, split_by=split_by)
    facts |= {"keys": keys, "is_gene_subset": is_gene_subset, **learnt.facts}
    facts["dealing"] = describe_dealing(dealt, obs, spec, groups if split_by == "group" else ())
    return AnnotatedObs(
        obs=obs.join(words)[list(ObsSchema.to_schema().columns)],
        source_obs=raw.obs,
        harmonised=make_columns(
            published, keys, spec.harmonise, species=first.genes.species, cache=cache
        ),
        genes=first.genes,
        gene_report=report_genes(first.genes, first.metrics.feature_counts),
        facts=facts,
        warnings=(*_warn(first, obs, cleaning), *learnt.warnings),
        locked=dealt.locked,
        configs=caption_configs(obs, raw.obs, known, spec),
    )


def _describe_cells(raw: RawCells, first: FirstPass, totals: np.ndarray | None) -> pd.DataFrame:
    metrics = first.metrics
    return pd.DataFrame(
        {
            "sample_idx": raw.sample_idx,
            "source": raw.source,
            "total_counts_source": _total_counts(raw, first, totals),
            "n_counts": metrics.n_counts,
            "n_genes_source": metrics.n_genes,
            "pct_mt_source": percent(metrics.n_counts_mt, metrics.n_counts),
            "pct_top20_source": percent(metrics.n_counts_top20, metrics.n_counts),
        }
    )


def _total_counts(raw: RawCells, first: FirstPass, totals: np.ndarray | None) -> np.ndarray:
    n_counts = first.metrics.n_counts
    if totals is None:
        return n_counts
    stated = totals.astype(np.int64)
    if (short := stated < n_counts).any():
        row = int(np.flatnonzero(short)[0])
        raise InputError(
            f"{raw.label}, cell {raw.sample_idx[row]}: the stated total {stated[row]} is below the "
            f"sum of its counts {n_counts[row]}; keys.totals names the wrong column"
        )
    return stated


def _leave_uncontradicted(obs: pd.DataFrame, spec: DatasetSpec) -> pd.DataFrame:
    """Cells that none contradicts would leave any split, so fractions are not spent on them."""
    is_alive = obs["removed_rule"].isna()
    if spec.format != "single" and is_alive.any():
        every_cell = pd.Series(SPLITS[0], index=obs.index, dtype=object)
        obs["split"] = every_cell.where(is_alive, None)
        _remove(obs, find_without_negative(obs))
    return obs


def _remove(obs: pd.DataFrame, removals: pd.DataFrame) -> None:
    gone = obs.index[removals["removed_rule"].notna() & obs["split"].notna()]
    for name in ("removed_rule", "removed_value"):
        obs.loc[gone, name] = removals.loc[gone, name]
    obs.loc[gone, "split"] = None


def _find_surplus(obs: pd.DataFrame, spec: DatasetSpec) -> pd.DataFrame:
    labelled = obs["sample_idx"], obs["cell_type"], obs["split"]
    return find_surplus(*labelled, limit=spec.max_cells_per_label, seed=spec.seed)


def _word(
    stated: pd.DataFrame, obs: pd.DataFrame, spec: DatasetSpec, assay: pd.Series | None
) -> pd.DataFrame:
    return word_captions(
        stated,
        sample_idx=obs["sample_idx"],
        split=obs["split"],
        rules=spec.captions,
        seed=spec.seed,
        assay=assay,
    )


def _facts(
    raw: RawCells, first: FirstPass, spec: DatasetSpec, obs: pd.DataFrame, *, split_by: str
) -> dict[str, Any]:
    sizes = _require_splits(obs, spec)
    if spec.chunks.count is not None:
        # Told before anything is stored; the chunks themselves are dealt later.
        deal_chunks(sizes, spec.chunks.count)
    return {
        "counts": [vars(place) for place in first.places],
        "n_features": list(first.n_features),
        "values": [dict(report) for report in first.reports],
        "species": first.genes.species,
        "species_by": first.genes.species_by,
        "split_by": split_by,
        "split_sizes": sizes,
        "n_groups": _count_groups(obs) if split_by == "group" else None,
        "n_raw": len(obs),
        "n_raw_of_source": dict(
            zip((file.name for file in raw.files), raw.n_obs_of_file, strict=True)
        ),
    }


def _require_splits(obs: pd.DataFrame, spec: DatasetSpec) -> dict[str, int]:
    sizes = sizes_of(obs["split"])
    if empty := [split for split in spec.splits.fractions if split not in sizes]:
        removed = obs["removed_rule"].value_counts().to_dict()
        why = (
            "fewer than two kinds of cells there contradict each other's captions, so that no "
            "negatives can be drawn"
        )
        raise InputError(
            f"no cells are left in {', '.join(empty)}"
            + (f": {why}" if "no_valid_negative" in removed else "")
            + f" (removed: {removed}); set format to single, loosen qc, or ask for other splits"
        )
    return sizes


def _count_groups(obs: pd.DataFrame) -> dict[str, int]:
    counts = obs[obs["split"].notna()].groupby("split")["group"].nunique()
    return {name: int(counts[name]) for name in SPLITS if name in counts}


def _warn(first: FirstPass, obs: pd.DataFrame, cleaning: Cleaning) -> Iterator[str]:
    for report in first.reports:
        yield from report["warnings"]
    yield from _warn_of_losses(obs)
    yield from _warn_of_conflicts(cleaning)


def _warn_of_losses(obs: pd.DataFrame) -> tuple[str, ...]:
    drawn = obs[obs["removed_rule"] != "subset"]
    gone = drawn["removed_rule"].value_counts()
    if gone.sum() * 2 <= len(drawn):
        return ()
    return (f"{gone.sum()} of {len(drawn)} cells were removed: {gone.to_dict()}; see the ledger",)


def _warn_of_conflicts(cleaning: Cleaning) -> tuple[str, ...]:
    if cleaning.conflicts.empty:
        return ()
    examples = cleaning.conflicts.head(3).to_dict("records")
    return (
        f"{len(cleaning.conflicts)} groups of cells with equal counts differ in their cell type; "
        f"the smallest id of each stays, e.g. {examples}",
    )
