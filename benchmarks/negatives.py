"""Negatives per second: the compiled draw, hard ones, and the same rule in plain Python.

Run with `python -m benchmarks.negatives [n_obs]` from the repository's root.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import tracemalloc

import numpy as np
import pandas as pd

from adata_assets.rows.contradictions import classes_without_negative, incompatible
from adata_assets.rows.facts import FactClasses, build_fact_classes
from adata_assets.rows.negatives import (
    KINDS,
    Hard,
    cell_keys,
    draw_negatives,
    unit_vectors,
)

N_SLOTS = 2
HARD_SHARE, N_DIMS = 0.25, 50
N_PLAIN = 20_000
FIELDS = ("cell_type", "tissue", "sex")


def make_cells(n_obs: int) -> pd.DataFrame:
    """Half of the cells are of one type; 3 of 10 captions are free text of their own."""
    rng = np.random.default_rng(0)
    p_type = [0.5, *[0.5 / 19] * 19]
    cells = pd.DataFrame(
        {
            "cell_type": rng.choice([f"type {i}" for i in range(20)], n_obs, p=p_type),
            "tissue": rng.choice(["lung", "heart", None], n_obs),
            "sex": rng.choice(["male", "female"], n_obs),
        }
    )
    stated = cells[list(FIELDS)].to_dict("records")
    facts = [json.dumps({k: v for k, v in row.items() if v is not None}) for row in stated]
    is_given = rng.random(n_obs) < 0.3
    cells["caption_source"] = np.where(is_given, "given", "made")
    cells["caption_facts"] = np.where(is_given, "{}", facts)
    cells["caption_id"] = np.where(is_given, [f"free {i}" for i in range(n_obs)], facts)
    return cells


def plain_draw(cells: pd.DataFrame, n_anchors: int) -> int:
    """Rejection in plain Python for the first anchors, over all cells; the slots filled."""
    rows = cells.to_dict("records")
    rng = np.random.default_rng(0)
    n_filled = 0
    for anchor in rows[:n_anchors]:
        stated = json.loads(anchor["caption_facts"])
        for _ in range(N_SLOTS):
            while True:
                other = rows[rng.integers(len(rows))]
                if anchor["caption_source"] == "given":
                    is_valid = (
                        anchor["caption_id"] != other["caption_id"]
                        and anchor["cell_type"] != other["cell_type"]
                    )
                else:
                    is_valid = any(other[f] is not None and other[f] != stated[f] for f in stated)
                if is_valid:
                    n_filled += 1
                    break
    return n_filled


def time_hard(classes: FactClasses, keys: np.ndarray) -> str:
    """How long it takes when a share is the nearest by random vectors, in words."""
    n_obs = len(keys)
    vectors = np.random.default_rng(0).normal(size=(n_obs, N_DIMS)).astype(np.float32)
    hard = Hard(HARD_SHARE, unit_vectors(vectors), np.arange(n_obs))
    options = {"cell_key": keys, "n_slots": N_SLOTS, "seed": 0, "purpose": "bench", "hard": hard}
    draw_negatives(classes, rows=(0, 1), **options)
    start, cpu_start = time.perf_counter(), time.process_time()
    drawn, kinds = draw_negatives(classes, **options)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    anchors = np.repeat(np.arange(n_obs), N_SLOTS)
    if not incompatible(classes, anchors, drawn.ravel()).all():
        raise SystemExit("a hard draw is not valid")
    n_hard = int((kinds == KINDS.index("hard")).sum())
    return (
        f"{n_hard} of {kinds.size} hard by {N_DIMS} values: {seconds:.1f} s, of which CPU "
        f"{cpu:.1f} s, {1e6 * cpu / n_hard:.0f} µs each"
    )


def main(n_obs: int) -> None:
    cells = make_cells(n_obs)
    seconds = {}
    for _ in range(2):
        start = time.perf_counter()
        classes = build_fact_classes(
            cells["caption_id"],
            cells["caption_source"],
            cells["caption_facts"],
            cells[list(FIELDS)],
        )
        seconds["classes"] = time.perf_counter() - start
        start = time.perf_counter()
        is_without = classes_without_negative(classes, np.zeros(n_obs, np.int8))
        seconds["fixpoint"] = time.perf_counter() - start
        start = time.perf_counter()
        keys = cell_keys([f"donor-{i:09d}" for i in range(n_obs)])
        seconds["keys"] = time.perf_counter() - start
        start, cpu_start = time.perf_counter(), time.process_time()
        drawn = draw_negatives(classes, cell_key=keys, n_slots=N_SLOTS, seed=0, purpose="bench")[0]
        seconds["draw"] = time.perf_counter() - start
        seconds["of which CPU"] = time.process_time() - cpu_start
    anchors = np.repeat(np.arange(n_obs), N_SLOTS)
    if is_without.any() or not incompatible(classes, anchors, drawn.ravel()).all():
        raise SystemExit("a draw is not valid")
    n_plain = min(N_PLAIN, n_obs)
    start = time.perf_counter()
    plain_rate = plain_draw(cells, n_plain) / (time.perf_counter() - start)
    rate = n_obs * N_SLOTS / seconds["draw"]
    print(f"{n_obs} rows, {N_SLOTS} slots, {len(classes.known)} classes")
    print(", ".join(f"{name} {value:.2f} s" for name, value in seconds.items()))
    print(f"draw {rate:,.0f} slots/s; plain Python {plain_rate:,.0f} slots/s; ", end="")
    print(f"ratio {rate / plain_rate:.0f}")
    print(time_hard(classes, keys))
    tracemalloc.start()
    draw_negatives(classes, cell_key=keys, n_slots=N_SLOTS, seed=0, purpose="bench")[0]
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"memory: the draw adds {peak:.0f} MiB (numpy), the whole process {whole:.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
