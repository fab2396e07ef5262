"""What a rule is, and how all of them are found and run."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from adata_assets.hub.lint.folder import PublishedFolder

_RULES_PACKAGE = "adata_assets.hub.lint.rules"
Find = Callable[[PublishedFolder], Iterator[str]]
_RULES: dict[str, Rule] = {}


@dataclass(frozen=True)
class Rule:
    """One promise or limit.

    Attributes
    ----------
    rule_id
        A stable name, words joined by ``-``.
    sentence
        What must hold.
    find
        Yields one sentence for each breach.
    """

    rule_id: str
    sentence: str
    find: Find


@dataclass(frozen=True)
class Finding:
    """One breach of one rule."""

    rule_id: str
    text: str


def rule(rule_id: str, sentence: str) -> Callable[[Find], Find]:
    """Register a function as a rule.

    Raises
    ------
    ValueError
        If another rule has this id.
    """

    def register(find: Find) -> Find:
        if rule_id in _RULES:
            raise ValueError(
                f"two rules are called {rule_id!r}: rename the one in {find.__module__}"
            )
        _RULES[rule_id] = Rule(rule_id, sentence, find)
        return find

    return register


def find_rules() -> dict[str, Rule]:
    """Return all rules by id, sorted."""
    package = import_module(_RULES_PACKAGE)
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{_RULES_PACKAGE}.{module.name}")
    return dict(sorted(_RULES.items()))


def lint_folder(folder: PublishedFolder) -> list[Finding]:
    """Return every breach of every rule."""
    return [
        Finding(rule_id, text)
        for rule_id, found in find_rules().items()
        for text in found.find(folder)
    ]
