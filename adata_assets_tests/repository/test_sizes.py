"""Files and functions stay small; errors are caught by name; nothing is left to do."""

from __future__ import annotations

import ast
import statistics

from adata_assets_tests.repository.source_code import modules, without_docstring

MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 60
MAX_MEDIAN_LINES, MAX_P90_LINES = 12, 30
# Written in two parts so that this file does not find itself.
UNFINISHED = tuple(first + second for first, second in (("TO", "DO"), ("FIX", "ME"), ("HA", "CK:")))
BROAD = ("Exception", "BaseException")

ALL = modules()


def test_files_are_short():
    sizes = {module.place: len(module.text.splitlines()) for module in ALL}
    assert not {place: n for place, n in sizes.items() if n > MAX_FILE_LINES}


def test_no_function_is_long():
    sizes = {
        f"{m.place}:{f.lineno} {f.name}": without_docstring(f) for m in ALL for f in m.functions()
    }
    assert not {name: n for name, n in sizes.items() if n > MAX_FUNCTION_LINES}


def test_most_functions_are_short():
    sizes = sorted(without_docstring(f) for m in modules("adata_assets") for f in m.functions())
    assert statistics.median(sizes) <= MAX_MEDIAN_LINES
    assert sizes[int(0.9 * len(sizes))] <= MAX_P90_LINES


def test_errors_are_caught_by_name():
    broad = [
        f"{module.place}:{node.lineno}"
        for module in ALL
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type)
    ]
    assert not broad


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(each) for each in caught.elts)
    return caught is None or (isinstance(caught, ast.Name) and caught.id in BROAD)


def test_nothing_is_left_to_do():
    found = [
        f"{module.place}:{number}"
        for module in ALL
        for number, line in enumerate(module.text.splitlines(), start=1)
        if any(mark in line for mark in UNFINISHED)
    ]
    assert not found
