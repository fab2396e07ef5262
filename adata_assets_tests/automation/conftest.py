"""A fresh instance, and a story on it; who overrides ``instance`` plays the story elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from adata_assets_tests.automation.bodies import Bodies, imitate_dataset
from adata_assets_tests.automation.story import Story


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bodies, dg.Definitions]:
    """The graph of a dataset with two models and two chunks, without its work."""
    return imitate_dataset(tmp_path_factory.mktemp("played"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A fresh instance in memory."""
    with dg.DagsterInstance.ephemeral() as fresh:
        yield fresh


@pytest.fixture
def story(played: tuple[Bodies, dg.Definitions], instance: dg.DagsterInstance) -> Story:
    """A fresh instance whose sensor has ticked once."""
    bodies, defs = played
    bodies.__init__(bodies.graph)
    begun = Story(defs, instance, "cells")
    begun.tick()
    return begun


@pytest.fixture
def bodies(played: tuple[Bodies, dg.Definitions]) -> Bodies:
    """What the stand-ins of the story do."""
    return played[0]
