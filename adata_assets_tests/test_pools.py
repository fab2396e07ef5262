"""Heavy embedders: one step at a time, over runs and processes, and after a command was killed."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml
from upath import UPath

from adata_assets.assets.embeddings import build_embeddings
from adata_assets.assets.models import build_model
from adata_assets.automation import COMMAND_TAG
from adata_assets.commit import locked
from adata_assets.instance import free_dead_slots, lock_name, prepare_home
from adata_assets.processes import HOST
from adata_assets_tests.datasets import Dataset, make_spec

POOL, STEP = "embedder_heavy", "cells__models__scvi"
MEMORY = {"memory_heavy"}


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An instance with the settings that ship."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        yield instance


def claim(instance: dg.DagsterInstance, run_id: str) -> bool:
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(POOL)
    return storage.claim_concurrency_slot(POOL, run_id, STEP).is_claimed


def start(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    """A run that began and never ended."""
    job = dg.Definitions(
        assets=[dg.AssetSpec(["cells", "x"]), dg.asset(key=["cells", "models"])(lambda: None)]
    ).resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(
        job,
        asset_selection=frozenset({dg.AssetKey(["cells", "models"])}),
        status=dg.DagsterRunStatus.STARTED,
        tags=tags,
    )
    return run.run_id


def test_a_pool_has_one_slot_by_default(instance):
    assert yaml.safe_load((Path(instance.root_directory) / "dagster.yaml").read_text())
    assert claim(instance, "first")
    assert not claim(instance, "second")
    instance.event_log_storage.free_concurrency_slots_for_run("first")
    assert claim(instance, "second")


def test_heavy_methods_share_a_pool_and_taking_a_model_is_not_heavy():
    chunks = dg.StaticPartitionsDefinition(["0001-of-0001"])
    heavy = {"name": "scvi", "method": "scvi"}
    given = {**heavy, "artefact": {"dataset": "other"}}
    for embedder, pool in ((heavy, POOL), (given, None)):
        spec = make_spec("x.h5ad", embedders=(embedder,))
        assert build_model(spec, spec.embedders[0]).op.pool == pool
        assert build_embeddings(spec, spec.embedders[0], chunks).op.pool == POOL


def test_what_holds_a_whole_dataset_shares_a_pool(tmp_path):
    embedders = [{"name": name, "method": name} for name in ("pca", "noise", "scvi")]
    spec = make_spec("x.h5ad", embedders=embedders, license="cc0", publish={"repo_id": "lab/cells"})
    graph = Dataset.make(spec, tmp_path).graph.defs.resolve_asset_graph()
    assert {key.to_user_string(): graph.get(key).pools for key in graph.get_all_asset_keys()} == {
        "cells/source": set(),
        "cells/raw_h5ad": set(),
        "cells/annotated_obs": MEMORY,
        "cells/ledger": set(),
        "cells/counts": MEMORY,
        "cells/gene_stats": MEMORY,
        "cells/leakage": MEMORY,
        "cells/models/pca": MEMORY,
        "cells/models/noise": set(),
        "cells/models/scvi": {POOL},
        "cells/embeddings/pca": set(),
        "cells/embeddings/noise": set(),
        "cells/embeddings/scvi": {POOL},
        "cells/embedding_scorecard": MEMORY,
        "cells/cell_texts": set(),
        "cells/chunk_files": set(),
        "cells/share_links": set(),
        "cells/hf_splits": MEMORY,
        "cells/hf_release": set(),
    }


def test_a_killed_command_leaves_no_slot_behind(instance):
    assert claim(instance, start(instance, {COMMAND_TAG: "true"}))
    with locked(UPath(instance.root_directory), name=lock_name("cells")):
        free_dead_slots(instance, locked_id="other")
        assert not claim(instance, "waits"), "a command is at work on its dataset"
        instance.event_log_storage.free_concurrency_slots_for_run("waits")
        free_dead_slots(instance, locked_id="cells")
        assert claim(instance, "next")


def test_a_command_on_another_dataset_frees_the_slot_too(instance):
    assert claim(instance, start(instance, {COMMAND_TAG: "true"}))
    free_dead_slots(instance, locked_id="other")
    assert claim(instance, "next")


def test_a_command_on_another_machine_keeps_its_slot(instance):
    """Its lock is in another home."""
    assert claim(instance, start(instance, {COMMAND_TAG: "true", HOST: "elsewhere"}))
    free_dead_slots(instance, locked_id="cells")
    assert not claim(instance, "next")


def test_a_run_of_the_ui_keeps_its_slot(instance):
    assert claim(instance, start(instance, {}))
    free_dead_slots(instance, locked_id="cells")
    assert not claim(instance, "next")
