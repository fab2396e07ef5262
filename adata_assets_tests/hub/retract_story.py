"""A release, its retraction and what comes after it, in a process that sees one Hub only."""

from __future__ import annotations

import json
import sys
from typing import Any

from click.testing import CliRunner

from adata_assets.cli import main
from adata_assets_tests.hub.release_story import publish

REPO_ID = "lab/cells"


def command(*arguments: str) -> list[Any]:
    """Return exit code and output of a command."""
    result = CliRunner().invoke(main, list(arguments))
    return [result.exit_code, result.output]


def retract(first: str, second: str) -> dict[str, Any]:
    """Publish, lint, retract twice, lint, publish the same and something else."""
    given = {"repo_id": REPO_ID, "dataset_id": "cells", "message": "A release"}
    reason = ["--reason", "Labels of <b>donor 3</b> were wrong."]
    return {
        "nothing": command("retract", REPO_ID, *reason),
        "first": publish(first, **given, tag="v-1"),
        "lint": command("lint", REPO_ID),
        "retract": command("retract", REPO_ID, *reason),
        "again": command("retract", REPO_ID, *reason),
        "lint after": command("lint", REPO_ID, "--json"),
        "lint of the tag": command("lint", REPO_ID, "--revision", "v-1"),
        "lint of no tag": command("lint", REPO_ID, "--revision", "v-9"),
        "same": publish(first, **given, tag="v-1"),
        "other": publish(second, **given, tag="v-2"),
        "lint of the other": command("lint", REPO_ID),
    }


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
