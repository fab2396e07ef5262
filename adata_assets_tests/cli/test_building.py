"""``plan``, ``materialize``, ``status`` and ``gc`` on one dataset, from nothing over a failure to fresh."""

from __future__ import annotations

import json

import pytest

from adata_assets.text import chunk_texts
from adata_assets_tests.datasets import make_spec, write_cells
from adata_assets_tests.projects import Project, attributes_of

BAD = "0002-of-0002"
LIGHT = {
    "format": "single",
    "embedders": (),
    "chunks": {"count": 2},
    "splits": {"train": 0.5, "validation": 0, "test": 0.5, "split_by": "cell"},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with one dataset of two chunks."""
    folder = tmp_path_factory.mktemp("story")
    patch = pytest.MonkeyPatch()
    spec = make_spec(write_cells(folder), **LIGHT)
    yield Project.make(folder, patch, attributes_of(spec))
    patch.undo()


@pytest.fixture(scope="module")
def story(project):
    """What the commands said, one after the other."""
    said = {"plan": told(project, "plan", "cells")}
    with pytest.MonkeyPatch.context() as patch:
        build = chunk_texts.build_chunk_texts

        def break_one(chunk, *inputs, **options):
            if chunk.partition_key == BAD:
                raise OSError("the disk is gone\nand more")
            return build(chunk, *inputs, **options)

        patch.setattr(chunk_texts, "build_chunk_texts", break_one)
        said["failing"] = told(project, "materialize", "cells")
    said["status of a failure"] = told(project, "status", "cells")
    said["in words"] = project.run("status")
    said["resumed"] = told(project, "materialize", "cells")
    said["status at last"] = told(project, "status", "cells")
    said["gc"] = told(project, "gc", "cells")
    text = project.yaml.read_text()
    project.yaml.write_text(text.replace("length: 20", "length: 15"))
    said["status of a change"] = told(project, "status", "cells")
    project.yaml.write_text(text)
    return said


def told(project, *arguments):
    """Return the exit code and what stdout says as JSON."""
    result = project.run(*arguments, "--json")
    assert result.exit_code in (0, 1), result.output
    return result.exit_code, json.loads(result.stdout)


def states(said):
    """Return the exit code, and stage and chunk to what is told of them."""
    code, found = said
    [dataset] = found["datasets"]
    assert dataset["is_fresh"] == (code == 0)
    return code, {(n["stage"], n["partition_key"]): n for n in dataset["nodes"]}


def test_at_first_all_would_run(story):
    code, plan = story["plan"]
    assert (code, plan["n_obs"], plan["is_exact"]) == (0, 60, False)
    _, nodes = states(story["status at last"])
    assert len(plan["would_run"]) == len(nodes)
    first = {"stage": "raw_h5ad", "partition_key": None, "reason": "missing"}
    assert plan["would_run"][0] == first


def test_a_chunk_that_fails_is_named(story):
    code, result = story["failing"]
    assert (code, result["is_fresh"], result["folder"]) == (1, False, None)
    [error] = result["errors"]
    assert error.startswith(f"cells/cell_texts {BAD}: ")
    failed = [run for run in result["runs"] if run["errors"]]
    assert [run["partition_key"] for run in failed] == [BAD]


def test_status_tells_the_failure_and_what_waits_for_it(story):
    code, nodes = states(story["status of a failure"])
    assert code == 1
    failed = nodes.pop(("cell_texts", BAD))
    assert failed["state"] == "failed"
    assert "the disk is gone" in failed["reason"]
    assert "\n" not in failed["reason"]
    assert len(failed["run_id"]) == 36
    assert nodes["cell_texts", "0001-of-0002"]["state"] == "fresh"
    assert nodes["hf_splits", None]["state"] == "missing"
    assert "failed" not in {node["state"] for node in nodes.values()}

    assert story["in words"].exit_code == 1
    lines = story["in words"].stdout.splitlines()
    [line] = [line for line in lines if "the disk is gone" in line]
    assert line.split()[:2] == [BAD, "failed"]
    assert failed["run_id"][:8] in line


def test_called_again_the_rest_runs_and_all_is_fresh(story):
    code, result = story["resumed"]
    assert (code, result["errors"], result["unfinished"]) == (0, [], [])
    assert {run["partition_key"] for run in result["runs"]} == {BAD, None}
    assert sum(result["n_rows"].values()) == 60
    code, nodes = states(story["status at last"])
    assert code == 0
    assert {node["state"] for node in nodes.values()} == {"fresh"}


def test_settings_that_changed_make_stale_with_a_reason(story):
    code, nodes = states(story["status of a change"])
    assert code == 1
    texts = nodes["cell_texts", "0001-of-0002"]
    assert (texts["state"], texts["reason"]) == ("stale", "code or settings changed")
    assert nodes["counts", None]["state"] == "fresh"


def test_nothing_is_left_over(story):
    code, found = story["gc"]
    assert (code, found["removed"]) == (0, False)
    assert found["shared"] == found["folders"] == found["uploads"] == []


@pytest.mark.parametrize("command", ["plan", "status"])
def test_an_unknown_dataset_ends_with_2_and_no_json(project, command):
    result = project.run(command, "other", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no dataset 'other'; there are: cells" in result.stderr
