"""Imports point left only, without cycles; the science knows neither Dagster nor pickle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter

from adata_assets_tests.repository.source_code import Module, modules, names_of

# Each line may import the lines above it, and within a package itself.
LAYERS = (
    ("errors", "beta", "processes"),
    ("schemas",),
    ("spec",),
    ("commit", "expiry"),
    ("artefact",),
    ("storage", "tables"),
    ("matrix", "rows", "splitting"),
    ("sources",),
    ("annotation",),
    ("embedders", "text", "chunk"),
    ("pictures",),
    ("scorecard", "onboarding"),
    ("hub_access",),
    ("leakage",),
    ("share", "hub"),
    ("promises",),
    # From here on Dagster is known. Checks are given the storage, so resources come first.
    ("resources",),
    ("findings",),
    ("checks",),
    ("gate",),
    ("io_managers", "automation", "dead_runs", "run_errors", "preloaded", "launcher"),
    ("alerts",),
    ("assets",),
    ("components",),
    ("project",),
    ("definitions",),
    ("freshness",),
    ("forecast",),
    ("instance", "runs", "retention"),
    ("status",),
    ("workplace", "new_dataset"),
    ("cli",),
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
HEAVY = {"scanpy", "torch", "scvi", "datasets", "transformers"}
UNSAFE = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}

PACKAGE = [module for module in modules("adata_assets") if module.name != "adata_assets"]


def part_of(name: str) -> str:
    """Return the first part below the package, which has a place in ``LAYERS``."""
    return name.split(".")[1]


def roots(module: Module) -> set[str]:
    """Return the top-level packages that a module imports anywhere."""
    return {name.split(".")[0] for name in module.imports()}


def own_imports(module: Module) -> set[str]:
    """Return the modules of this package that a module imports, as files that exist."""
    known = {other.name for other in PACKAGE}
    found = set()
    for name in module.imports():
        if name.startswith("adata_assets."):
            found.add(name if name in known else name.rpartition(".")[0])
    return (found & known) - {module.name}


def test_imports_point_left():
    places = {part_of(module.name) for module in PACKAGE}
    assert places <= set(RANK), f"give {sorted(places - set(RANK))} a place in LAYERS"
    wrong = [
        f"{module.place} imports {name}"
        for module in PACKAGE
        for name in sorted(own_imports(module))
        if part_of(name) != part_of(module.name)
        and RANK[part_of(name)] >= RANK[part_of(module.name)]
    ]
    assert not wrong


def test_there_are_no_cycles():
    graph = {module.name: own_imports(module) for module in PACKAGE}
    assert len(list(TopologicalSorter(graph).static_order())) == len(PACKAGE)


def test_the_science_does_not_know_dagster():
    knowing = [
        module.place
        for module in PACKAGE
        if RANK[part_of(module.name)] < RANK["resources"]
        and any(name.startswith("dagster") for name in roots(module))
    ]
    assert not knowing


def test_nothing_is_pickled():
    """P15: no module that can execute what it loads; numpy files without objects."""
    science = modules("adata_assets", "benchmarks")
    assert not [module.place for module in science if roots(module) & UNSAFE]
    allowed = [
        f"{module.place}:{node.value.lineno}"
        for module in science
        for node in ast.walk(module.tree)
        if isinstance(node, ast.keyword)
        and node.arg == "allow_pickle"
        and not (isinstance(node.value, ast.Constant) and node.value.value is False)
    ]
    assert not allowed


def test_heavy_packages_are_imported_inside_functions():
    at_top = [
        f"{module.place}:{node.lineno}"
        for module in PACKAGE
        for node in module.tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and {name.split(".")[0] for name in names_of(node)} & HEAVY
    ]
    assert not at_top
