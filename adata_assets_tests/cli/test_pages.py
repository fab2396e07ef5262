"""Console blocks of the README and the pages, carried out; what they show is what is printed."""

from __future__ import annotations

import copy
import doctest
import re
import shlex
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from datasets import config
from huggingface_hub import constants

from adata_assets import runs
from adata_assets.freshness import DATA_VERSION_TAG
from adata_assets.share import serve
from adata_assets.sources.files import locate_source
from adata_assets_tests.datasets import Dataset, write_cells
from adata_assets_tests.hub.local_hub import WRITER, LocalHub, running_hub
from adata_assets_tests.projects import Project, attributes_of
from adata_assets_tests.repository.source_code import ROOT
from adata_assets_tests.repository.test_docs import blocks_of
from adata_assets_tests.servers.hf import client_of

HUB_PAGE, DOMAIN = "docs/publish_on_the_hub.md", ".example.org"
COMMAND = re.compile(r"^\$ (?P<line>.*)\n(?P<shown>(?:(?!\$ ).*\n)*)", re.MULTILINE)
NOT_RUN = {
    "make test": "it is what carries out these blocks",
    "git pull": "there is nothing to pull from",
}
# One chunk: no process of its own is started for it.
LIGHT = {
    "format": "single",
    "embedders": [],
    "chunks": {"count": 1},
    "splits": {"train": 1, "validation": 0, "test": 0},
}


@dataclass(frozen=True)
class Reader:
    """Somebody in a folder with a project; what pages call ``/data`` is a folder there."""

    folder: Path
    project: Project

    def carry_out(self, page: str) -> Iterator[str]:
        """Run the commands of a page one after the other; yield each when it was run."""
        for body in blocks_of(ROOT / page, "console"):
            for found in COMMAND.finditer(body):
                if found["line"] not in NOT_RUN:
                    self.run(found["line"], found["shown"])
                    yield found["line"]

    def run(self, line: str, shown: str = "") -> None:
        """Run a command; it must succeed and print what is shown, if anything is."""
        line = re.sub(r"^make (\w+)$", lambda found: recipe_of(found[1]), line)
        line = line.replace("/data/", f"{self.folder}/data/").replace("<dataset_id>", "pbmc68k")
        program, *arguments = shlex.split(line, comments=True)
        assert program == "adata-assets", line
        done = self.project.run(*arguments)
        assert done.exit_code == 0, f"{line}\n{done.output}"
        assert not shown or is_like(shown, done.stdout), f"{line}\n{done.stdout}"

    def correct(self, dataset_id: str) -> None:
        """Make a proposed YAML light, and let it be published as the page of the Hub says."""
        [path] = self.project.folder.glob(f"*/defs/{dataset_id}/defs.yaml")
        given = yaml.safe_load(path.read_text())
        [published] = blocks_of(ROOT / HUB_PAGE, "yaml")
        given["attributes"] |= {**LIGHT, **yaml.safe_load(published)}
        path.write_text(yaml.safe_dump(given))


def recipe_of(target: str) -> str:
    """Return the one line with which the Makefile makes a target."""
    rule = rf"^{target}: install\n\t(.*)\n\n"
    [line] = re.findall(rule, (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    return str(line)


def is_like(shown: str, printed: str) -> bool:
    """Whether this was shown: ``…`` is anything, seconds are any, and stages stand in any order.

    Examples
    --------
    >>> is_like("…/a\\nhead: x, y done in 3.0 s\\n", "/tmp/a\\nhead: y, x done in 12.1 s\\n")
    True
    >>> is_like("head: x done in 3.0 s\\n", "head: x, y done in 3.0 s\\n")
    False
    """
    wanted, found = (
        re.sub(r"(?<=: )(.*) done in [\d.]+ s$", _sort, text, flags=re.MULTILINE)
        for text in (shown.replace("…", "..."), printed)
    )
    return doctest.OutputChecker().check_output(wanted, found, doctest.ELLIPSIS)


def _sort(found: re.Match[str]) -> str:
    return ", ".join(sorted(found[1].split(", ")))


def take_from(made: Dataset) -> Callable[..., runs.Outcome]:
    """Return a stand-in for ``runs.execute`` that takes what one dataset's runs make as made."""
    execute = runs.execute

    def take(
        defs: dg.Definitions, instance: dg.DagsterInstance, run: runs.Run, *given: Any
    ) -> runs.Outcome:
        if run.dataset_id != made.spec.dataset_id:
            return execute(defs, instance, run, *given)
        for stage in run.stages:
            tags = {DATA_VERSION_TAG: made.load(stage, run.partition_key).data_version}
            key, partition = made.graph.key_of(stage), run.partition_key
            event = dg.AssetMaterialization(asset_key=key, partition=partition, tags=tags)
            instance.report_runless_asset_event(event)
        return runs.Outcome(run, (), 1.0)

    return take


@pytest.fixture(scope="module")
def reader(demo: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader who has set nothing; the demo's files lie there, and its runs only record them."""
    folder, demo_id = tmp_path_factory.mktemp("reader"), demo.spec.dataset_id
    with pytest.MonkeyPatch.context() as patch:
        project = Project.make(folder, patch, attributes_of(demo.spec))
        project.yaml.parent.rename(project.yaml.parents[1] / demo_id)
        home = (folder / "home").rename(folder / ".dagster")
        patch.setenv("DAGSTER_HOME", str(home))
        patch.delenv("ADATA_ASSETS_STORAGE")
        patch.chdir(folder)
        stored = Path(demo.storage.root.path) / demo_id
        shutil.copytree(stored, home / "adata_assets" / demo_id, symlinks=True)
        patch.setattr(runs, "execute", take_from(demo))
        (folder / "data").mkdir()
        for name in ("cells.h5ad", "data/covid.h5ad"):
            write_cells(folder, name=name)
        shutil.copy(locate_source(demo.spec.source), folder / "data" / "pbmc3k_raw.h5ad")
        yield Reader(folder, project)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub that this process asks by a name, as links to this machine are not released."""
    find = socket.getaddrinfo

    def find_named(host: str | None, *given: Any, **options: Any) -> Any:
        return find(host and host.removesuffix(DOMAIN), *given, **options)

    monkeypatch.setattr(socket, "getaddrinfo", find_named)
    monkeypatch.setenv("no_proxy", DOMAIN)
    with running_hub() as running:
        # Files are redirected to localhost, which so gets the domain as well.
        url = running.url = running.url.replace("127.0.0.1", f"127.0.0.1{DOMAIN}")
        # Read from the environment when they are imported.
        template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(config, "HF_ENDPOINT", url)
        monkeypatch.setattr(config, "HF_HUB_OFFLINE", False)
        with client_of(url, WRITER):
            yield running


def test_the_readme_and_the_hub(
    reader: Reader, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Path] = []
    # It would go on until it is stopped.
    monkeypatch.setattr(serve, "serve", lambda root, **where: served.append(root))
    for line in reader.carry_out("README.md"):
        if line.startswith("adata-assets new mine "):
            reader.correct("mine")
        if line.startswith("adata-assets materialize mine --jobs"):
            hub.repos["lab/mine"] = copy.deepcopy(hub.repos["lab/lung-cells"])
    assert served == [reader.folder / ".dagster" / "adata_assets"]
    loaded: dict[str, Any] = {}
    [body] = blocks_of(ROOT / HUB_PAGE, "python")
    exec(compile(body, HUB_PAGE, "exec"), loaded)
    assert loaded["rows"].num_rows == loaded["cells"].num_rows == {"train": 60}
    assert len(list(reader.carry_out(HUB_PAGE))) == 3


def test_a_dataset_is_added(reader: Reader) -> None:
    assert len(list(reader.carry_out("docs/add_a_dataset.md"))) == 3


def test_an_upgrade(reader: Reader) -> None:
    assert len(list(reader.carry_out("docs/upgrade.md"))) == 2
