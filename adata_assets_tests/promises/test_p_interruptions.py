"""P14, P15, P18: killed while writing, files of other runs, files of other bytes."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adata_assets import storage as storage_module
from adata_assets.artefact import Artefact
from adata_assets.embedders.base.model import ARRAYS, FrozenModel, load_model, save_model
from adata_assets.errors import InputError
from adata_assets.runs import Run, execute
from adata_assets.storage import MANIFEST
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.promises import old_pipeline as old
from adata_assets_tests.promises.families import copy_of
from adata_assets_tests.promises.published import LINKS, bytes_of, read_all_rows, values_of

# Runs one stage and kills its own process when half of a file is written.
_KILLED = """
import importlib, os, signal, sys, warnings
from pathlib import Path
import dagster as dg
warnings.simplefilter("ignore")
from adata_assets.runs import Run, execute
from adata_assets.spec import DatasetSpec
from adata_assets_tests.datasets import Dataset

spec, root, stage, key, module, function = sys.argv[1:]
module = importlib.import_module(module)
original = getattr(module, function)

def die(*given, **options):
    original(*given, **options)
    files = [p for p in Path(root).rglob(".draft-*/**/*") if p.is_file()]
    for file in files:
        os.truncate(file, file.stat().st_size // 2)
    print(len(files), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(module, function, die)
dataset = Dataset.make(DatasetSpec.model_validate_json(spec), Path(root))
run = Run(dataset.spec.dataset_id, (stage,), key or None)
execute(dataset.graph.defs, dataset.instance, run)
"""


def _kill_in(dataset: Dataset, stage: str, key: str, place: str) -> None:
    root = Path(dataset.storage.root.path).parent
    given = [dataset.spec.model_dump_json(), str(root), stage, key, *place.rsplit(".", 1)]
    command = [sys.executable, "-c", _KILLED, *given]
    home = Path(__file__).parents[2]
    result = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert int(result.stdout) > 0


def _flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    # A file of the share folder may be the same one: its bytes stay.
    path.unlink()
    path.write_bytes(content)


def test_p14_old_length_check_accepts_a_half_written_file(tmp_path: Path) -> None:
    rows = np.arange(1, 101)
    old.write_in_place(tmp_path / "a.npy", rows, 40)
    assert old.is_complete(tmp_path / "a.npy", 100)
    assert (np.load(tmp_path / "a.npy") == 0).sum() == 60


def test_p14_killed_in_a_chunk_nothing_of_it_exists(donors: Dataset, tmp_path: Path) -> None:
    dataset = copy_of(donors, tmp_path)
    key = dataset.graph.chunk_keys[1]
    folder = Path(dataset.storage.folder_of("cells", "chunk_files", key).path)
    (folder / MANIFEST).unlink()
    _kill_in(dataset, "chunk_files", key, "adata_assets.chunk.files.write_chunk_zarr_zip")
    assert list(folder.glob(".draft-*/*"))
    assert dataset.storage.find("cells", "chunk_files", key) is None
    ran = [outcome.run for outcome in dataset.materialize()]
    # The same bytes give the same links: the release is left alone.
    assert ran == [Run("cells", ("chunk_files", "share_links"), key)]
    assert dataset.load("chunk_files", key).damaged_files() == []
    assert bytes_of(dataset) == bytes_of(donors)


def test_p14_killed_in_the_release_the_old_one_stays(donors: Dataset, tmp_path: Path) -> None:
    dataset = copy_of(donors, tmp_path, negatives_per_sample=1)
    _kill_in(dataset, "hf_splits", "", "adata_assets.hub.splits.build_card")
    assert bytes_of(dataset) == bytes_of(donors)
    assert dataset.load("hf_splits").data_version == donors.load("hf_splits").data_version
    ran = [outcome.run for outcome in dataset.materialize()]
    assert ran == [Run("cells", ("hf_splits",))]
    assert "negative_2_idx" not in read_all_rows(dataset)


def test_p14_a_flipped_bit_is_found_by_the_blocking_check(
    donors: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flipped after the manifest was written: nothing downstream runs; the next run mends it."""
    dataset = copy_of(donors, tmp_path)
    bad = dataset.graph.chunk_keys[2]
    (Path(dataset.storage.folder_of("cells", "chunk_files", bad).path) / MANIFEST).unlink()
    write_manifest = storage_module._write_manifest

    def write_and_flip(folder: Path, artefact: Artefact) -> None:
        write_manifest(folder, artefact)
        if (artefact.stage, artefact.partition_key) == ("chunk_files", bad):
            _flip_bit(Path(artefact.folder.path) / "chunk.h5ad")

    before = donors.load("share_links", bad).data_version
    with monkeypatch.context() as patch:
        patch.setattr(storage_module, "_write_manifest", write_and_flip)
        error = dataset.fail()
    assert bad in error
    assert "slots" in error
    assert dataset.load("share_links", bad).data_version == before
    assert dataset.load("hf_splits").data_version == donors.load("hf_splits").data_version
    dataset.succeed()
    assert dataset.load("chunk_files", bad).damaged_files() == []


def test_p14_a_file_that_changed_later_is_not_shared(donors: Dataset, tmp_path: Path) -> None:
    """P16: what is put into the store are the bytes that the manifest states."""
    dataset = copy_of(donors, tmp_path)
    key = dataset.graph.chunk_keys[0]
    _flip_bit(dataset.load("chunk_files", key).local("chunk.h5ad"))
    shared = Path(dataset.storage.root.path) / "share" / "cells"
    for path in [*shared.glob(f"{key}*"), *shared.glob(f"manifest/{key}*")]:
        path.unlink()
    outcome = execute(dataset.graph.defs, dataset.instance, Run("cells", ("share_links",), key))
    assert "chunk.h5ad" in "".join(outcome.errors)
    assert not list(shared.glob(f"{key}*.h5ad"))


def test_p15_models_hold_no_objects(donors: Dataset, tmp_path: Path) -> None:
    for stage in ("models/pca", "models/hvg"):
        artefact = donors.load(stage)
        model = load_model(artefact.local(ARRAYS).parent)
        assert all(array.dtype.kind in "fiu" for array in model.arrays.values())
        assert save_model(model, tmp_path) == artefact.data_version
    kinds = {path.suffix for path in Path(donors.storage.root.path).rglob("*") if path.is_file()}
    assert not kinds & {".pkl", ".pickle", ".joblib", ".pt"}


def test_p15_a_pickled_model_is_refused(tmp_path: Path) -> None:
    """The old loader runs what a file says; ours refuses without running it."""
    loaded = pickle.loads(pickle.dumps(_Trap()))
    assert loaded == "ran"
    np.savez(tmp_path / "model.npz", components=np.array([_Trap()], dtype=object))
    (tmp_path / "model.npz").rename(tmp_path / ARRAYS)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(InputError, match="holds no readable model"):
        load_model(tmp_path)


class _Trap:
    def __reduce__(self) -> tuple[Callable[[str], str], tuple[str]]:
        return str, ("ran",)


def test_p15_a_model_of_another_hash_is_refused(donors: Dataset, tmp_path: Path) -> None:
    """Valid arrays under the old name: the manifest's sha256 tells."""
    dataset = copy_of(donors, tmp_path)
    model = dataset.load("models/pca")
    folder = model.local(ARRAYS).parent
    found = load_model(folder)
    save_model(
        FrozenModel({**found.arrays, "means": found.arrays["means"] + 1}, found.facts), folder
    )
    assert model.damaged_files() == [f"{ARRAYS}: other bytes than were stored"]
    key = dataset.graph.chunk_keys[0]
    before = dataset.load("embeddings/pca", key)
    run = Run("cells", ("embeddings/pca",), key)
    errors = execute(dataset.graph.defs, dataset.instance, run).errors
    assert ARRAYS in "".join(errors)
    assert dataset.load("embeddings/pca", key) == before


def test_p18_chunks_of_another_count_are_never_ingested(
    donors: Dataset, donors_in_five: Dataset, tmp_path: Path
) -> None:
    """Five chunks where three lie already: the release is that of a fresh root, to the byte."""
    dataset = copy_of(donors, tmp_path, chunks={"count": 5})
    dataset.succeed()
    stage = Path(dataset.storage.root.path) / "cells" / "chunk_files"
    assert len(old.find_chunks(stage)) == 3 + 5
    ours, fresh = bytes_of(dataset), bytes_of(donors_in_five)
    assert {name: ours[name] for name in fresh} == fresh
    assert {name for name in ours if name.startswith("hf_splits/")} <= set(fresh)
    rows = read_all_rows(dataset)
    assert all(rows[kind].str.contains("-of-0005-").all() for kind in LINKS)
    assert values_of(dataset) == values_of(donors)


def test_p18_mixed_generations_are_refused_by_name(donors: Dataset, tmp_path: Path) -> None:
    dataset = copy_of(donors, tmp_path)
    key = dataset.graph.chunk_keys[1]
    path = Path(dataset.storage.folder_of("cells", "share_links", key).path) / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["generation"]["counts"] = "0" * 64
    path.write_text(json.dumps(manifest))
    before = bytes_of(dataset)
    outcome = execute(dataset.graph.defs, dataset.instance, Run("cells", ("hf_splits",)))
    error = "".join(outcome.errors)
    assert "generations are mixed" in error
    assert f"share_links@{key}" in error
    assert "counts 000000000000" in error
    assert bytes_of(dataset) == before


def test_p18_a_missing_chunk_is_named(donors: Dataset, tmp_path: Path) -> None:
    dataset = copy_of(donors, tmp_path)
    key = dataset.graph.chunk_keys[2]
    (Path(dataset.storage.folder_of("cells", "cell_texts", key).path) / MANIFEST).unlink()
    outcome = execute(dataset.graph.defs, dataset.instance, Run("cells", ("hf_splits",)))
    assert f"cell_texts@{key}" in "".join(outcome.errors)
