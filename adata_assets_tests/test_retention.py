"""``adata-assets gc``: what nothing names goes, what splits or a release name stays."""

from __future__ import annotations

import dagster as dg
import pytest

from adata_assets.errors import InputError
from adata_assets.freshness import find_stale
from adata_assets.retention import Leftovers, find_leftovers, remove_leftovers
from adata_assets.share import open_share_store
from adata_assets.spec import DatasetSpec
from adata_assets_tests.datasets import Dataset, make_spec, write_cells
from adata_assets_tests.projects import Project, attributes_of

LIGHT = {
    "format": "single",
    "embedders": ({"name": "hvg", "method": "hvg", "n_genes": 5},),
    "splits": {"train": 0.5, "validation": 0, "test": 0.5, "split_by": "cell"},
}
NOTHING = Leftovers((), (), ())


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Dataset:
    """Two chunks, made."""
    folder = tmp_path_factory.mktemp("gc")
    spec = make_spec(write_cells(folder), chunks={"count": 2}, **LIGHT)
    return Dataset.make(spec, folder).succeed()


@pytest.fixture(scope="module")
def after(before) -> Dataset:
    """The same dataset with three chunks and another embedder, made over what the two chunks left."""
    assert find_leftovers(before.graph, before.storage) == NOTHING
    embedders = ({"name": "few", "method": "hvg", "n_genes": 4},)
    fields = {"chunks": {"count": 3}, "embedders": embedders}
    spec = DatasetSpec(**{**before.spec.model_dump(), **fields})
    root = before.published.parents[2]
    return Dataset.make(spec, root, before.instance).succeed()


def shared(dataset: Dataset) -> list[str]:
    share = dataset.spec.share
    return open_share_store(
        share.store, share.settings, root=dataset.storage.root, dataset_id="cells"
    ).list()


def release(dataset: Dataset, names: list[str]) -> None:
    """Store what a release that links to these files leaves."""
    with dataset.storage.draft("cells", "hf_release", code_version="1") as draft:
        (draft.folder / "release.json").write_text("{}")
        draft.metadata["shared"] = names


def test_gc_lists_then_removes_and_never_what_is_named(before, after):
    old = sorted(name for name in shared(after) if "-of-0002-" in name)
    assert len(old) == 4
    release(after, old[:1])
    (after.published.parents[1] / "share" / "cells" / ".cut.tmp").touch()
    found = find_leftovers(after.graph, after.storage)
    assert found.shared == tuple(old[1:])
    assert found.uploads == (".cut.tmp",)
    stages = ("cell_texts", "chunk_files", "share_links", "embeddings/hvg")
    root = after.published.parent
    folders = [root / stage / f"000{i}-of-0002" for stage in stages for i in (1, 2)]
    assert set(found.folders) == {*folders, root / "models" / "hvg"}
    assert find_leftovers(after.graph, after.storage) == found, "nothing was removed"
    assert remove_leftovers(after.graph, after.storage, after.instance) == found
    assert find_leftovers(after.graph, after.storage) == NOTHING
    assert old[0] in shared(after)
    assert len([name for name in shared(after) if "-of-0003-" in name]) == 6
    assert find_stale(after.graph, after.storage, after.instance) == {}


def test_gc_waits_for_runs_to_end(after):
    run = after.instance.create_run_for_job(
        after.graph.defs.resolve_implicit_global_asset_job_def(),
        asset_selection={after.graph.key_of("share_links")},
        status=dg.DagsterRunStatus.STARTED,
    )
    with pytest.raises(InputError, match=f"cells: run {run.run_id} is at work"):
        remove_leftovers(after.graph, after.storage, after.instance)
    after.instance.report_run_canceled(run)
    remove_leftovers(after.graph, after.storage, after.instance)


def test_the_command_removes_only_when_told(tmp_path, monkeypatch):
    spec = make_spec(write_cells(tmp_path), chunks={"count": 2}, **{**LIGHT, "embedders": ()})
    project = Project.make(tmp_path, monkeypatch, attributes_of(spec))
    assert project.run("materialize", "cells").exit_code == 0
    assert "cells: nothing is left over." in project.run("gc", "cells").stdout
    stray = project.storage / "share" / "cells" / ".cut.tmp"
    stray.touch()
    assert "would remove unfinished upload .cut.tmp" in project.run("gc", "cells").stdout
    assert stray.exists()
    assert "removed unfinished upload .cut.tmp" in project.run("gc", "cells", "--delete").stdout
    assert not stray.exists()
