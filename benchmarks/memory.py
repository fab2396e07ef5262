"""Peak memory and seconds from raw cells to the published folder, per process and per stage.

Run from the repository's root; it takes minutes, about 3 GB of disk, and exits 1 on a breach:

    python -m benchmarks.memory                     # 50,000 and 200,000 cells, as promised
    python -m benchmarks.memory --n-obs 5000 20000 --chunk-size 1000 --folder /var/tmp/bench

For each number of cells (x 20,000 genes, about 400 non-zeros per cell, group split by donor,
multiplets, pca and hvg, local store) the dataset is made twice:

* ``command``: ``adata-assets materialize`` does everything in one process, as a user runs it.
* one process per head stage, per stage of the first chunk and per run of every other chunk, then
  one for ``hf_splits``: so stages can be told apart, and a chunk's run is what the UI starts.

Peaks are ``ru_maxrss`` of each child. Two promises are checked for each of these processes: the
peak is at most 1.5 GB, and from fewest to most cells it grows by at most 1.5 kB per added cell.
Equal runs differ by up to 80 MB in ``command`` (530 bytes per added cell): judge a narrow result by
several. The processes import the package anew each time, so leave the sources alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_PEAK_BYTES = 1_500_000_000
MAX_BYTES_PER_ADDED_CELL = 1_500
DATASET_ID = "cells"
# The parent imports nothing heavy: a child's ru_maxrss begins with that of its parent.
PROJECT = """\
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "memory_benchmark"
registry_modules = ["adata_assets.components"]
"""
YAML = """\
type: adata_assets.AdataDataset
attributes:
  title: Generated cells
  source: {source}
  chunks: {{size: {chunk_size}}}
  splits: {{train: 0.8, validation: 0.1, test: 0.1, split_by: group}}
  embedders:
    - {{name: pca, method: pca}}
    - {{name: hvg, method: hvg}}
  format: multiplets
  schedule: null
"""


@dataclass(frozen=True)
class Peak:
    """One kind of process: its largest peak, the sum of its seconds, how many there were."""

    n_bytes: int = 0
    seconds: float = 0.0
    n_processes: int = 0

    def add(self, n_bytes: int, seconds: float) -> Peak:
        """Return the peak with one more process of its kind."""
        return Peak(max(self.n_bytes, n_bytes), self.seconds + seconds, self.n_processes + 1)


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> tuple[str, int, float]:
    """Run a command to its end; return its output, its peak RSS in bytes and its seconds."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}:\n{text}")
    return text, usage.ru_maxrss * 1024, time.monotonic() - started


def make_project(folder: Path, source: Path, chunk_size: int) -> None:
    """Write a project with one dataset."""
    package = folder / "memory_benchmark"
    (package / "defs" / DATASET_ID).mkdir(parents=True)
    for init in (package, package / "defs"):
        (init / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(PROJECT)
    yaml = YAML.format(source=source, chunk_size=chunk_size)
    (package / "defs" / DATASET_ID / "defs.yaml").write_text(yaml)


def make_environment(folder: Path, name: str) -> dict[str, str]:
    """Return the variables of a fresh instance and storage under ``folder``."""
    own = folder / name
    (own / "scratch").mkdir(parents=True)
    return {
        "ADATA_ASSETS_PROJECT": str(folder),
        "DAGSTER_HOME": str(own / "home"),
        "ADATA_ASSETS_STORAGE": str(own / "storage"),
        "ADATA_ASSETS_SCRATCH": str(own / "scratch"),
        "PYTHONWARNINGS": "ignore",
    }


def measure_command(folder: Path) -> dict[str, Peak]:
    """Make the dataset with the command, in one process."""
    command = [sys.executable, "-m", "adata_assets.cli", "materialize", DATASET_ID]
    text, n_bytes, seconds = run_child(command, make_environment(folder, "command"))
    print("\n".join(f"  {line}" for line in text.splitlines() if " done in " in line), flush=True)
    print(f"  command: {n_bytes / 1e6:.0f} MB, {seconds:.1f} s", flush=True)
    return {"command": Peak().add(n_bytes, seconds)}


def measure_stages(folder: Path) -> dict[str, Peak]:
    """Make the dataset in many processes."""
    environment = make_environment(folder, "stages")
    peaks: dict[str, Peak] = {}
    while True:
        command = [sys.executable, "-m", "benchmarks.memory", "--next"]
        text, n_bytes, _ = run_child(command, environment)
        done = json.loads(text.splitlines()[-1])
        if not done:
            return peaks
        name = done["name"]
        print(f"  {name}: {n_bytes / 1e6:.0f} MB, {done['seconds']:.1f} s", flush=True)
        kind = "chunk run" if name.startswith("chunk run") else name
        peaks[kind] = peaks.get(kind, Peak()).add(n_bytes, done["seconds"])


def run_next() -> None:
    """Run what can run now, in this process: one stage, or of a later chunk all of them."""
    from adata_assets.runs import Run, execute, find_stale, next_runs
    from adata_assets.workplace import Workplace

    with Workplace.open(DATASET_ID, say=lambda text: None) as place:
        stale = find_stale(place.graph, place.storage, place.instance)
        runs = next_runs(place.graph, stale, ())
        if not runs:
            print("null")
            return
        run, name = runs[0], f"chunk run {runs[0].partition_key}"
        if run.partition_key in (None, place.graph.chunk_keys[0]):
            run = Run(run.dataset_id, run.stages[:1], run.partition_key)
            name = run.stages[0]
        outcome = execute(place.graph.defs, place.instance, run)
    if outcome.errors:
        raise SystemExit("\n".join(outcome.errors))
    print(json.dumps({"name": name, "seconds": outcome.seconds}))


def measure(folder: Path, n_obs: int, n_vars: int, chunk_size: int) -> dict[str, Peak]:
    """Generate the cells, make the dataset both ways, and remove everything again."""
    own = folder / f"cells-{n_obs}"
    own.mkdir(parents=True)
    try:
        source = own / "raw.h5ad"
        sizes = ["--n-obs", str(n_obs), "--n-vars", str(n_vars)]
        generate = [sys.executable, "-m", "benchmarks.generate_cells", str(source), *sizes]
        text, n_bytes, seconds = run_child(generate, {})
        print(f"{text.strip()} ({n_bytes / 1e6:.0f} MB, {seconds:.0f} s)", flush=True)
        make_project(own, source, chunk_size)
        return measure_command(own) | measure_stages(own)
    finally:
        shutil.rmtree(own)


def report(peaks: Mapping[int, Mapping[str, Peak]]) -> list[str]:
    """Print the table; return the breaches."""
    sizes = sorted(peaks)
    fewest, most = sizes[0], sizes[-1]
    heads = "".join(f"{f'{size:,} cells':>28}" for size in sizes)
    print(f"{'process':<18}{heads}{'bytes per added cell':>24}")
    breaches = []
    for name, peak in peaks[most].items():
        shown = [peaks[size].get(name, Peak()) for size in sizes]
        grown = (peak.n_bytes - shown[0].n_bytes) / max(most - fewest, 1)
        cells = "".join(
            f"{f'{p.n_bytes / 1e6:,.0f} MB {p.seconds:,.1f} s ({p.n_processes})':>28}"
            for p in shown
        )
        print(f"{name:<18}{cells}{grown:>24,.0f}")
        breaches += [
            f"{name}, {size:,} cells: peak {p.n_bytes:,} bytes, allowed {MAX_PEAK_BYTES:,}"
            for size, p in zip(sizes, shown, strict=True)
            if p.n_bytes > MAX_PEAK_BYTES
        ]
        if grown > MAX_BYTES_PER_ADDED_CELL:
            allowed = f"allowed {MAX_BYTES_PER_ADDED_CELL:,}"
            breaches.append(f"{name}: {grown:,.0f} bytes per added cell, {allowed}")
    return breaches


def main() -> None:
    """Read the arguments, measure, report; exit 1 on a breach."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-obs", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--n-vars", type=int, default=20_000)
    parser.add_argument("--chunk-size", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--next", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.next:
        run_next()
        return
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="memory-") as folder:
        peaks = {
            n_obs: measure(Path(folder), n_obs, given.n_vars, given.chunk_size)
            for n_obs in given.n_obs
        }
    breaches = report(peaks)
    for breach in breaches:
        print(f"breach: {breach}")
    sys.exit(bool(breaches))


if __name__ == "__main__":
    main()
