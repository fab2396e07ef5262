"""What a published folder says to machines: ``croissant.json`` and ``manifest.json``.

Belongs here: facts of the artefacts, brought to the two files. Their forms are in ``croissant`` and
``manifest``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from adata_assets.artefact import Artefact, require_one_generation
from adata_assets.hub.card_captions import CaptionCounts
from adata_assets.hub.card_limits import list_limits
from adata_assets.hub.card_rows import describe_columns
from adata_assets.hub.croissant import state_responsibly, write_croissant
from adata_assets.hub.manifest import state_dataset, write_manifest
from adata_assets.spec import DatasetSpec
from adata_assets.tables import read_table

_LINKS = "share_links"


def write_descriptions(
    folder: Path,
    spec: DatasetSpec,
    inputs: Sequence[Artefact],
    *,
    ledger: pd.DataFrame,
    captions: Mapping[str, CaptionCounts],
    columns: Sequence[str],
    negatives: Mapping[str, Any] | None = None,
) -> None:
    """Write both files; the manifest last, since it names all others.

    Parameters
    ----------
    inputs
        Every artefact of the release, ``annotated_obs`` and the ``share_links`` among them.
    negatives
        As `state_negatives` returns it.
    """
    annotated = next(given for given in inputs if given.stage == "annotated_obs").metadata
    limits = list_limits(annotated=annotated, ledger=ledger, captions=captions, format=spec.format)
    n_removed = int(ledger.loc[ledger["outcome"] != "published", "n_obs"].sum())
    write_croissant(
        folder,
        spec,
        descriptions=describe_columns(spec.format, columns),
        responsible=state_responsibly(
            spec, annotated=annotated, limits=limits, n_removed=n_removed
        ),
    )
    links = {
        str(given.partition_key): read_table(given.local(f"{_LINKS}.parquet"))
        for given in inputs
        if given.stage == _LINKS
    }
    stated = state_dataset(spec, require_one_generation(inputs), links)
    write_manifest(folder, {**stated, **(negatives or {})})
