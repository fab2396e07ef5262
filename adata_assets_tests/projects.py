"""A project of one dataset in a folder, driven by the command; and what a folder holds."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from adata_assets.cli import main
from adata_assets.spec import DatasetSpec

TELEMETRY_OFF = "telemetry:\n  enabled: false\n"


@dataclass
class Project:
    """A Dagster project whose only dataset is ``cells``."""

    folder: Path
    storage: Path
    scratch: Path

    @classmethod
    def make(
        cls, folder: Path, patch: pytest.MonkeyPatch, attributes: dict[str, object]
    ) -> Project:
        """Write the project and point the environment at it."""
        # Modules stay loaded, so each project's package has a name of its own.
        package = f"project_{abs(hash(str(folder)))}"
        project = cls(folder / "project", folder / "storage", folder / "scratch")
        defs = project.folder / package / "defs" / "cells"
        defs.mkdir(parents=True)
        (project.folder / package / "__init__.py").touch()
        (defs / "defs.yaml").write_text(
            yaml.safe_dump({"type": "adata_assets.AdataDataset", "attributes": attributes})
        )
        (project.folder / "pyproject.toml").write_text(
            f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\n'
        )
        project.scratch.mkdir()
        home = folder / "home"
        home.mkdir()
        (home / "dagster.yaml").write_text(TELEMETRY_OFF)
        patch.setattr(sys, "path", [str(project.folder), *sys.path])
        patch.setenv("DAGSTER_HOME", str(home))
        patch.setenv("ADATA_ASSETS_PROJECT", str(project.folder))
        patch.setenv("ADATA_ASSETS_STORAGE", str(project.storage))
        patch.setenv("ADATA_ASSETS_SCRATCH", str(project.scratch))
        return project

    @property
    def yaml(self) -> Path:
        """The dataset's YAML."""
        return next(self.folder.glob("*/defs/cells/defs.yaml"))

    def run(self, *arguments: str) -> Result:
        """Run the command; nothing but its own exit may end it."""
        result = CliRunner().invoke(main, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result


def attributes_of(spec: DatasetSpec, **fields: object) -> dict[str, object]:
    """Return the YAML attributes of a spec; any field can be replaced, also by wrong values."""
    given = spec.model_dump(mode="json", exclude_unset=True)
    del given["dataset_id"]
    return {**given, **fields}


def footprint(*folders: Path) -> dict[str, tuple[int, int, int]]:
    """Return every file and folder below some folders with inode, size and time of change."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            stat = path.lstat()
            size = 0 if path.is_dir() else stat.st_size
            # A folder's time changes when a draft in it comes and goes, which leaves nothing.
            mtime_ns = 0 if path.is_dir() else stat.st_mtime_ns
            found[os.path.relpath(path, folder.parent)] = (stat.st_ino, size, mtime_ns)
    return found
