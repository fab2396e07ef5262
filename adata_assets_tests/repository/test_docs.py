"""Documentation is made or executed: generated pages are fresh, examples run, YAMLs are accepted."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import re
import shlex
from pathlib import Path

import pandera.pandas as pa
import pytest
import yaml

from adata_assets.cli import main
from adata_assets.embedders.contract import embedder_names, load_embedder
from adata_assets.share import load_dataset_settings, share_store_names
from adata_assets.spec import DatasetSpec
from adata_assets_tests.embedders import test_embedder_contract
from adata_assets_tests.embedders.stored import StoredCells
from adata_assets_tests.repository.source_code import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
# A block that begins with ```python run is executed, all of one page in order and together.
RUN = "python run"
EMBEDDER_PAGE = ROOT / "docs" / "add_an_embedder.md"
# By page and what stands behind the three backticks: which test runs such blocks. Those that are
# marked to run, prompts and YAMLs are run on every page, by tests of this file.
RUN_BY = {
    ("README.md", "console"): "cli/test_pages.py",
    ("docs/add_a_dataset.md", "console"): "cli/test_pages.py",
    ("docs/more_than_one_machine.md", "sql"): "automation/test_postgres.py",
    ("docs/more_than_one_machine.md", "yaml dagster.yaml"): "automation/test_postgres.py",
    ("docs/publish_on_the_hub.md", "console"): "cli/test_pages.py",
    ("docs/publish_on_the_hub.md", "python"): "cli/test_pages.py",
    ("docs/share_on_s3.md", "json"): "repository/test_bucket_policy.py",
    ("docs/tutorial.md", "console step"): "cli/test_tutorial.py",
    ("docs/tutorial.md", "python step"): "cli/test_tutorial.py",
    ("docs/upgrade.md", "console"): "cli/test_pages.py",
}
NOT_RUN = {
    ("README.md", ""): "a picture of the stages",
    ("docs/architecture.md", "mermaid"): "pictures",
}


def blocks_of(page: Path, info: str) -> list[str]:
    """Return the fenced blocks of a page whose info string is ``info``."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [block["body"] for block in found if block["info"].strip() == info]


def test_blocks_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n```python run\nx = 1\n```\n```python\ny\n```\n```python run\nx += 1\n```\n")
    assert blocks_of(page, RUN) == ["x = 1\n", "x += 1\n"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prompts_in_pages_are_doctests(page):
    outcome = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0


def test_every_block_is_run():
    """Or it is one of the few that say why not."""
    found = {
        (page.relative_to(ROOT).as_posix(), block["info"].strip())
        for page in PAGES
        for block in BLOCK.finditer(page.read_text(encoding="utf-8"))
        if block["info"].strip() not in (RUN, "yaml") and not block["body"].startswith(">>> ")
    }
    assert found == {*RUN_BY, *NOT_RUN}, "mark a block to run, or say in RUN_BY which test runs it"
    for (page, _), place in RUN_BY.items():
        assert Path(page).name in (ROOT / "adata_assets_tests" / place).read_text(encoding="utf-8")


@pytest.fixture
def run_page(request, monkeypatch):
    """Runs the blocks of a page that are marked to run; returns the names that they define."""

    def run(page: Path) -> dict[str, object]:
        names: dict[str, object] = {}
        for body in blocks_of(page, RUN):
            demo = request.getfixturevalue("demo")
            monkeypatch.chdir(Path(demo.storage.root.path))
            exec(compile(body, str(page), "exec"), names)
        return names

    return run


def test_blocks_marked_to_run_do(run_page):
    for page in PAGES:
        if page != EMBEDDER_PAGE:
            run_page(page)


def test_blocks_marked_to_run_make_a_method_that_keeps_the_contract(run_page, tmp_path):
    names, stored = run_page(EMBEDDER_PAGE), StoredCells.make(tmp_path)
    method = type(names["embedder"])
    embedder = method(method.settings_model(**names["small_settings"](stored, tmp_path)))
    given = {"embedder": embedder, "stored": stored, "model": stored.fit(embedder)}
    promises = [name for name in vars(test_embedder_contract) if name.startswith("test_")]
    for name in promises:
        (folder := tmp_path / name).mkdir()
        promise = getattr(test_embedder_contract, name)
        asked = inspect.signature(promise).parameters
        promise(
            **{key: value for key, value in {**given, "tmp_path": folder}.items() if key in asked}
        )
    assert promises


BASE = {"title": "Cells", "source": "cells.h5ad", "chunks": {"count": 3}}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_yamls_in_pages_are_accepted(page, monkeypatch):
    """A whole dataset, or some fields of one."""
    monkeypatch.delenv("ADATA_ASSETS_BASE_URL", raising=False)
    for body in blocks_of(page, "yaml"):
        given = yaml.safe_load(body)
        assert isinstance(given, dict), body
        whole = given.get("type") == "adata_assets.AdataDataset"
        fields = given["attributes"] if whole else {**BASE, **given}
        spec = DatasetSpec(dataset_id="example", **fields)
        load_dataset_settings(spec)
        assert all(load_embedder(embedder).n_dims for embedder in spec.embedders)


COMMAND = re.compile(r"^\$ adata-assets (?P<arguments>[^#\n]*)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_pages_have_such_options(page):
    """Parsed as they stand, not carried out."""
    for body in blocks_of(page, "console"):
        for line in COMMAND.finditer(body):
            name, *arguments = shlex.split(line["arguments"])
            command = main.commands[name]
            command.make_context(name, arguments)


LINK = re.compile(r"\]\((?!https?://)(?P<target>[^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for link in LINK.finditer(page.read_text(encoding="utf-8")):
        assert (page.parent / link["target"]).exists(), link["target"]


def schema_names() -> list[str]:
    """Return the names of all table schemas that no other one extends."""
    models = [
        value
        for path in (ROOT / "adata_assets/schemas").glob("[!_]*.py")
        for value in vars(importlib.import_module(f"adata_assets.schemas.{path.stem}")).values()
        if isinstance(value, type) and issubclass(value, pa.DataFrameModel)
    ]
    return [m.__name__ for m in set(models) - {pa.DataFrameModel} if not m.__subclasses__()]


def test_made_pages_are_fresh(monkeypatch):
    monkeypatch.delenv("ADATA_ASSETS_BASE_URL", raising=False)
    spec = importlib.util.spec_from_file_location("build_pages", ROOT / "docs/build_pages.py")
    build_pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build_pages)
    for page, fresh in build_pages.build_pages().items():
        assert page.read_text(encoding="utf-8") == fresh, "run python docs/build_pages.py"
    tables = (ROOT / "docs/tables.md").read_text(encoding="utf-8")
    assert not [name for name in schema_names() if f"`{name}`." not in tables]
    plugins = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
    for name in [*embedder_names(), *share_store_names()]:
        assert f"### `{name}`" in plugins
