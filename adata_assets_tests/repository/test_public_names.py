"""Every public name says what it is; docstrings follow numpydoc and name real parameters."""

from __future__ import annotations

import ast
import re

from adata_assets_tests.repository.source_code import Function, modules

PACKAGE = modules("adata_assets")
SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "Examples")
# Compiled by numba, which infers the types.
UNTYPED = ("kernels",)


def test_every_module_says_what_belongs_in_it():
    assert not [m.place for m in PACKAGE if m.tree.body and not ast.get_docstring(m.tree)]


def test_public_names_are_documented():
    bare = [
        f"{module.place}: {name}"
        for module in PACKAGE
        for name, node in module.public()
        if not ast.get_docstring(node)
    ]
    assert not bare


def test_everything_is_annotated():
    bare = [
        f"{module.place}: {function.name}({', '.join(lacking)})"
        for module in PACKAGE
        if not module.path.stem.endswith(UNTYPED)
        for function in module.functions()
        if (lacking := _lacking(function))
    ]
    assert not bare


def _lacking(function: Function) -> list[str]:
    given = function.args
    all_of = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    lacking = [a.arg for a in all_of if a and a.annotation is None and a.arg not in ("self", "cls")]
    return lacking + ([] if function.returns is not None else ["return"])


def test_docstrings_are_numpydoc():
    wrong = [
        f"{module.place}: {name}: {title}"
        for module in PACKAGE
        for name, node in module.public()
        for title, line in re.findall(
            r"^(\w[\w ]*)\n(-{3,})$", ast.get_docstring(node) or "", flags=re.MULTILINE
        )
        if title not in SECTIONS or len(line) != len(title)
    ]
    assert not wrong


def test_documented_parameters_exist():
    unknown = [
        f"{module.place}: {name} documents {sorted(other)}"
        for module in PACKAGE
        for name, node in module.public()
        if (other := _documented(ast.get_docstring(node) or "") - _parameters(node))
    ]
    assert not unknown


def _documented(text: str) -> set[str]:
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-{3,}$|\Z)", text, re.M | re.S)
    heads = re.findall(r"^(\w[^\n]*)", section[1], re.M) if section else []
    return {name.strip("* ") for head in heads for name in head.split(" : ")[0].split(",")}


def _parameters(node: Function | ast.ClassDef) -> set[str]:
    if isinstance(node, ast.ClassDef):
        fields = {a.target.id for a in node.body if _is_field(a)}
        inits = [m for m in node.body if isinstance(m, Function) and m.name == "__init__"]
        return fields.union(*map(_parameters, inits))
    given = node.args
    return {a.arg for a in [*given.posonlyargs, *given.args, *given.kwonlyargs]} | {
        a.arg for a in (given.vararg, given.kwarg) if a
    }


def _is_field(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
