"""``docs/tutorial.md``, carried out step by step as it stands."""

from __future__ import annotations

import doctest
import os
import re
import shlex
from pathlib import Path

import pytest

from adata_assets_tests.datasets import make_spec
from adata_assets_tests.projects import Project, attributes_of
from adata_assets_tests.repository.source_code import ROOT

STEP = re.compile(
    r"^```(?P<kind>console|python) step\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
LIKE_IT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Raised by torch and its trainer about their own code.
pytestmark = pytest.mark.filterwarnings("ignore")


def run_command(project: Project, body: str) -> None:
    line, _, expected = body.partition("\n")
    done = project.run(*shlex.split(line.removeprefix("$ adata-assets ")))
    assert done.exit_code == 0, done.output
    assert doctest.OutputChecker().check_output(expected, done.stdout, LIKE_IT), done.stdout


def test_every_step_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.make(tmp_path, monkeypatch, attributes_of(make_spec("unused.h5ad")))
    monkeypatch.chdir(tmp_path)
    # As for a reader, who sets nothing.
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / ".dagster"))
    monkeypatch.delenv("ADATA_ASSETS_STORAGE")
    os.rename(tmp_path / "home", tmp_path / ".dagster")
    names: dict[str, object] = {}
    for step in STEP.finditer((ROOT / "docs/tutorial.md").read_text(encoding="utf-8")):
        if step["kind"] == "console":
            run_command(project, step["body"])
        else:
            exec(compile(step["body"], "docs/tutorial.md", "exec"), names)
    assert names["after"] > names["before"] + 0.1
