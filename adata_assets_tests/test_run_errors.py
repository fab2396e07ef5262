"""Why a run failed and whose it is, from what Dagster recorded."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._utils.error import SerializableErrorInfo

from adata_assets.run_errors import DATASET_TAG, datasets_of, message_of


def error(name: str, message: str, cause: SerializableErrorInfo | None = None):
    return SerializableErrorInfo(f"{name}: {message}\n", [], name.rpartition(".")[2], cause)


def test_the_error_of_the_asset_is_told_not_its_wrapping_nor_its_own_cause():
    own = error("adata_assets.errors.InputError", "no column", error("KeyError", "'x'"))
    wrapped = error("dagster._core.errors.DagsterExecutionStepExecutionError", "while", own)
    assert message_of(wrapped) == "no column"
    assert message_of(None) == "failed; see the Dagster UI"


@pytest.mark.parametrize(
    ("selection", "tags", "ids"),
    [
        (None, {}, set()),
        (None, {DATASET_TAG: "cells"}, {"cells"}),
        ([["cells", "counts"], ["more", "models", "pca"]], {}, {"cells", "more"}),
    ],
)
def test_datasets_of_a_run(selection, tags, ids):
    keys = None if selection is None else frozenset(map(dg.AssetKey, selection))
    run = dg.DagsterRun(job_name="one", run_id="1", asset_selection=keys, tags=tags)
    assert datasets_of(run) == ids
