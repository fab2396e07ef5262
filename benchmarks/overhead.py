"""What the command costs beside the work: importing it, finding everything fresh, one run per chunk.

Run from the repository's root on an idle machine; it takes minutes and needs no network:

    python -m benchmarks.overhead                       # 4, 16 and 64 chunks, once each
    python -m benchmarks.overhead --n-chunks 4 16 --repeats 3 --profile no-op

400 generated cells x 60 genes, no embedder: what a chunk costs is what Dagster, the checks and the
files cost. Each line is a process of its own, as a user starts it; of several repeats the fastest
counts. ``no-op`` is ``adata-assets materialize`` with nothing to do, ``per chunk`` what each chunk
beyond the fewest adds. Memory is ``ru_maxrss`` of the process. Ratios are to the fewest chunks.

``--profile`` prints where a no-op or a first build of the most chunks spends its time.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory import DATASET_ID, PROJECT, make_environment, run_child

N_OBS, N_VARS = 400, 60
YAML = """\
type: adata_assets.AdataDataset
attributes:
  title: Generated cells
  source: {source}
  chunks: {{count: {n_chunks}}}
  splits: {{train: 0.8, validation: 0.1, test: 0.1, split_by: cell}}
  qc: {{min_genes: 5}}
  n_top_genes: 30
  sentences: {{length: 20}}
  format: multiplets
  schedule: null
"""
IMPORTS = {
    "python": "pass",
    "import dagster": "import dagster",
    "import adata_assets.cli": "import adata_assets.cli",
    "load the definitions": "from adata_assets.definitions import defs; defs()",
}


@dataclass(frozen=True)
class Cost:
    """Seconds and peak memory of one process."""

    seconds: float
    n_bytes: int

    def __str__(self) -> str:
        return f"{self.seconds:7.2f} s {self.n_bytes / 1e6:6.0f} MB"


def write_source(path: Path) -> None:
    """Write the generated cells; in a child, so that the parent stays small."""
    code = (
        "from pathlib import Path; from adata_assets_tests.datasets import make_cells; "
        f"make_cells({N_OBS}, {N_VARS}).write_h5ad({str(path)!r})"
    )
    run_child([sys.executable, "-W", "ignore", "-c", code], {})


def make_project(folder: Path, source: Path, n_chunks: int) -> dict[str, str]:
    """Write a project with one dataset; return the environment of a fresh instance."""
    package = folder / "memory_benchmark"
    (package / "defs" / DATASET_ID).mkdir(parents=True)
    for init in (package, package / "defs"):
        (init / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(PROJECT)
    yaml = YAML.format(source=source, n_chunks=n_chunks)
    (package / "defs" / DATASET_ID / "defs.yaml").write_text(yaml)
    return make_environment(folder, "own")


def measure(command: list[str], environment: dict[str, str], repeats: int) -> Cost:
    """Return the fastest of some processes."""
    found = []
    for _ in range(repeats):
        _, n_bytes, seconds = run_child([sys.executable, *command], environment)
        found.append(Cost(seconds, n_bytes))
    return min(found, key=lambda cost: cost.seconds)


def measure_chunks(folder: Path, source: Path, n_chunks: int, repeats: int) -> tuple[Cost, Cost]:
    """Return the costs of a first build and of a no-op."""
    command, built = ["-m", "adata_assets.cli", "materialize", DATASET_ID], []
    for repeat in range(repeats):
        own = folder / f"{n_chunks}-{repeat}"
        environment = make_project(own, source, n_chunks)
        built.append(measure(command, environment, 1))
    return min(built, key=lambda cost: cost.seconds), measure(command, environment, repeats)


def profile(what: str, folder: Path, source: Path, n_chunks: int) -> None:
    """Print where a first build or a no-op spends its time."""
    environment = make_project(folder / "profiled", source, n_chunks)
    command = ["-m", "adata_assets.cli", "materialize", DATASET_ID]
    if what == "no-op":
        measure(command, environment, 1)
    profiled = [sys.executable, "-m", "cProfile", "-s", "cumulative", *command]
    print("\n".join(run_child(profiled, environment)[0].splitlines()[:120]))


def describe(n_chunks: int, costs: dict[int, tuple[Cost, Cost]]) -> str:
    """Return one line: seconds, memory, and ratios to the fewest chunks."""
    fewest = min(costs)
    base, base_idle = costs[fewest]
    built, idle = costs[n_chunks]
    added = (built.seconds - base.seconds) / (n_chunks - fewest) if n_chunks > fewest else 0
    return (
        f"{n_chunks:>3} chunks: build {built} (x {built.seconds / base.seconds:.2f}), "
        f"no-op {idle} (x {idle.seconds / base_idle.seconds:.2f}), per chunk {added:.2f} s"
    )


def main() -> None:
    """Read the arguments, measure, print each figure as it comes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-chunks", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--profile", choices=["no-op", "build"])
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        folder, source = Path(name), Path(name) / "raw.h5ad"
        write_source(source)
        if given.profile:
            profile(given.profile, folder, source, max(given.n_chunks))
            return
        for what, code in IMPORTS.items():
            cost = measure(["-W", "ignore", "-c", code], {}, max(given.repeats, 2))
            print(f"{what}: {cost}", flush=True)
        costs: dict[int, tuple[Cost, Cost]] = {}
        for n_chunks in sorted(given.n_chunks):
            costs[n_chunks] = measure_chunks(folder, source, n_chunks, given.repeats)
            print(describe(n_chunks, costs), flush=True)


if __name__ == "__main__":
    main()
