"""Refreshes played through on the real graph: each asset and partition runs exactly once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

import pytest
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.storage import partition_status_cache

from adata_assets.automation import COMMAND_TAG
from adata_assets_tests.automation.bodies import (
    CHUNK,
    COLLECTORS,
    FIRST,
    HEAD,
    SECOND,
    Bodies,
)
from adata_assets_tests.automation.story import Story

# One run for the head, one for each chunk, one for the collectors.
IN_FEW_RUNS = [
    sorted(HEAD),
    sorted(f"{stage}@{key}" for stage in CHUNK for key in (FIRST, SECOND)),
    sorted(COLLECTORS),
]
# A run takes a minute where every query is a connection of its own and the machine is busy.
HANGS_S = 300
BY_HAND: dict[str, str] = {}
BY_COMMAND = {COMMAND_TAG: "true"}


def refresh(story: Story, bodies: Bodies, *, runs_per_tick: int | None = None) -> None:
    """The source has new content, and the scheduled look at it sees that."""
    bodies.refresh += 1
    story.observe(f"v{bodies.refresh}")
    story.settle(runs_per_tick=runs_per_tick)


def make_by_hand(story: Story, bodies: Bodies, tags: dict[str, str]) -> list[list[str]]:
    """Head, chunks, collector in a row, with ticks between; return what the ticks asked for."""
    bodies.refresh += 1
    asked = []
    for stages, partition in [
        (HEAD, None),
        (CHUNK, FIRST),
        (CHUNK, SECOND),
        (COLLECTORS, None),
    ]:
        assert story.finish(story.start(stages, partition, tags))
        asked += [story.tick(), story.tick()]
    return asked


def everything(bodies: Bodies, times: int) -> dict[str, int]:
    return {node.name: times for node in bodies.graph.nodes()}


def test_refreshes_run_everything_exactly_once(story, bodies):
    assert [story.tick(), story.tick()] == [[], []], "a fresh instance waits to be asked"
    refresh(story, bodies, runs_per_tick=1)
    assert story.ran() == everything(bodies, 1)
    assert [asked for asked in story.requested if asked] == IN_FEW_RUNS
    story.observe("v1")
    assert [story.tick(), story.tick()] == [[], []], "the source is unchanged"
    refresh(story, bodies)
    assert story.ran() == everything(bodies, 2)
    assert bodies.released == [{1}, {2}]


@pytest.mark.parametrize("slow", ["models/pca", f"share_links@{SECOND}"])
def test_a_slow_step_beside_fast_ones_is_waited_for(story, bodies, slow):
    make_by_hand(story, bodies, BY_COMMAND)
    bodies.hooks[slow] = lambda: [story.tick() for _ in range(3)]
    story.requested.clear()
    refresh(story, bodies)
    assert story.ran() == everything(bodies, 2)
    assert bodies.released == [{1}, {2}]
    assert [asked for asked in story.requested if asked] == IN_FEW_RUNS


def test_a_slow_model_in_a_run_of_its_own_is_waited_for(story, bodies):
    make_by_hand(story, bodies, BY_COMMAND)
    slow, fast = (
        story.start(["models/hvg"], tags=BY_HAND),
        story.start(["models/pca"], tags=BY_HAND),
    )
    story.finish(fast)
    for _ in range(3):
        story.tick()
        for run in [run for run in story.queue if run is not slow]:
            story.finish(run)
    assert story.ran()["hf_splits"] == 1
    story.settle()
    refreshed = {"models", "embeddings", "chunk_files", "share_links", *COLLECTORS}
    assert story.ran() == {
        node.name: 1 + (node.stage.split("/")[0] in refreshed) for node in bodies.graph.nodes()
    }


def test_a_failed_chunk_keeps_the_old_release_until_its_retry(story, bodies):
    make_by_hand(story, bodies, BY_COMMAND)

    def fail() -> None:
        raise ValueError("no room")

    bodies.hooks[f"embeddings/pca@{SECOND}"] = fail
    refresh(story, bodies, runs_per_tick=1)
    assert bodies.released == [{1}]
    del bodies.hooks[f"embeddings/pca@{SECOND}"]
    story.start(["embeddings/pca"], SECOND, BY_HAND)
    story.settle()
    assert bodies.released == [{1}, {2}]
    assert story.ran() == everything(bodies, 2)


@pytest.mark.parametrize("stage", ["share_links", "counts"])
def test_what_failed_is_not_tried_again_by_itself(story, bodies, stage):
    make_by_hand(story, bodies, BY_COMMAND)
    tried = []

    def fail() -> None:
        tried.append(stage)
        raise ValueError("no room")

    node = f"{stage}@{FIRST}" if stage in CHUNK else stage
    bodies.hooks[node] = fail
    # Both chunks then end between two ticks, long after they were asked for.
    bodies.hooks[f"cell_texts@{FIRST}"] = lambda: [story.tick() for _ in range(3)]
    refresh(story, bodies)
    assert tried == [stage]
    bodies.hooks.clear()
    story.start([stage], FIRST if stage in CHUNK else None, BY_HAND)
    story.settle()
    assert bodies.released == [{1}, {2}]
    assert story.ran() == everything(bodies, 2)


def test_between_the_runs_of_the_command_nothing_is_asked_for(story, bodies):
    asked = make_by_hand(story, bodies, BY_COMMAND)
    assert not any(asked), asked
    assert story.ran() == everything(bodies, 1)


def test_chunks_of_the_command_that_end_between_two_ticks_start_nothing(story, bodies):
    bodies.refresh += 1
    assert story.finish(story.start(HEAD, tags=BY_COMMAND))
    story.tick()
    for partition in (FIRST, SECOND):
        assert story.finish(story.start(CHUNK, partition, BY_COMMAND))
    assert [story.tick(), story.tick()] == [[], []]


def test_untagged_runs_are_followed_up(story, bodies):
    bodies.refresh += 1
    assert story.finish(story.start(HEAD, tags=BY_HAND))
    story.settle()
    assert story.ran() == everything(bodies, 1)


@pytest.mark.parametrize(
    "slow", [pytest.param("chunk_files", marks=pytest.mark.slow), "share_links"]
)
def test_a_run_that_ends_while_a_tick_reads_is_not_repeated(story, bodies, monkeypatch, slow):
    """A tick reads what is new, and what is in progress a moment later: it may have ended between."""
    make_by_hand(story, bodies, BY_COMMAND)
    bodies.refresh += 1
    story.observe(f"v{bodies.refresh}")
    story.requested.clear()
    story.tick()
    story.finish(story.queue[0])
    for _ in range(2):
        story.tick()
    find_in_progress = partition_status_cache.build_failed_and_in_progress_partition_subset
    find_new = AssetGraphView._compute_updated_since_cursor_subset
    gates = {key: Gate() for key in (FIRST, SECOND)}
    for key, gate in gates.items():
        bodies.hooks[f"{slow}@{key}"] = gate.wait
    runs = {run.tags["dagster/partition"]: run for run in story.queue}
    with ThreadPoolExecutor(2) as elsewhere:
        ended = {}
        for key, gate in gates.items():
            ended[key] = elsewhere.submit(story.finish, runs[key])
            assert gate.reached.wait(HANGS_S)

        def end_and_find(instance, asset_key, *others, **named):
            if asset_key == story.key_of(slow):
                gates[FIRST].may_pass.set()
                assert ended[FIRST].result(HANGS_S)
            return find_in_progress(instance, asset_key, *others, **named)

        async def find_nothing_new(view, key, *others, **named):
            if key == story.key_of(slow):
                return view.get_empty_subset(key=key)
            return await find_new(view, key, *others, **named)

        monkeypatch.setattr(partition_status_cache, find_in_progress.__name__, end_and_find)
        monkeypatch.setattr(AssetGraphView, find_new.__name__, find_nothing_new)
        story.tick()
        monkeypatch.undo()
        gates[SECOND].may_pass.set()
    story.settle()
    assert story.ran() == everything(bodies, 2)
    assert [asked for asked in story.requested if asked] == IN_FEW_RUNS


@dataclass
class Gate:
    """Where a step waits until it may pass."""

    reached: Event = field(default_factory=Event)
    may_pass: Event = field(default_factory=Event)

    def wait(self) -> None:
        """Tell that the step is here, and wait."""
        self.reached.set()
        assert self.may_pass.wait(HANGS_S)
