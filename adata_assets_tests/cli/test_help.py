"""Help comes at once and shows examples; what scripts rely on stands in it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from adata_assets.cli import main

HEAVY = {"dagster", "pandas", "numpy", "anndata", "rich", "pydantic"}
CODE = "import sys, adata_assets.cli; print(' '.join(sorted(sys.modules)))"


def help_of(*command: str) -> str:
    """Return the help of the group or of one subcommand."""
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_subcommand_shows_examples(name):
    assert f"  adata-assets {name}" in help_of(name).replace("$(adata-assets", "  adata-assets")


@pytest.mark.parametrize("name", sorted(set(main.commands) - {"serve", "home"}))
def test_scripts_get_json(name):
    assert "--json" in help_of(name)


def test_exit_codes_stand_in_the_help_of_the_group():
    text = help_of()
    for line in ("0  done", "1  something failed", "2  the input cannot be used"):
        assert line in text


def test_help_imports_nothing_that_takes_time():
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert not HEAVY & set(ended.stdout.split())
