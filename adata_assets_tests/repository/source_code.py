"""The package's source as syntax trees: modules, imports, functions, public names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "adata_assets"
FOLDERS = ("adata_assets", "adata_assets_tests", "benchmarks", "docs")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file."""

    path: Path

    @property
    def place(self) -> str:
        """Path from the repository's root."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        """Dotted name."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def text(self) -> str:
        """Content of the file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Syntax tree."""
        return ast.parse(self.text, str(self.path))

    def functions(self) -> Iterator[Function]:
        """Yield all functions, nested ones and methods too."""
        yield from (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def imports(self) -> Iterator[str]:
        """Yield the dotted names that are imported anywhere; ``from a import b`` gives ``a.b``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from names_of(node)

    def public(self) -> Iterator[tuple[str, Function | ast.ClassDef]]:
        """Yield public functions, classes and their public methods with dotted names."""
        for node in self.tree.body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, node
                for member in node.body if isinstance(node, ast.ClassDef) else ():
                    if isinstance(member, Function) and not member.name.startswith("_"):
                        yield f"{node.name}.{member.name}", member


def names_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the dotted names of one import statement."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    # Relative imports hide where they point; ruff does not refuse them.
    assert node.level == 0, f"line {node.lineno} imports relatively"
    return [f"{node.module}.{alias.name}" for alias in node.names]


def modules(*folders: str) -> list[Module]:
    """Return the modules of some folders of the repository, all by default."""
    return [
        Module(path)
        for folder in folders or FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


def without_docstring(function: Function) -> int:
    """Count the lines of a function, its docstring left out: a contract is no code."""
    n_lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return n_lines
    first = function.body[0]
    return n_lines - ((first.end_lineno or first.lineno) - first.lineno + 1)
