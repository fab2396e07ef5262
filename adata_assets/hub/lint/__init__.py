"""Rules for published folders: one small function each, found in ``rules``, none needs a network.

A rule yields one sentence for each breach. A new rule is a new function there; no list has to be
extended.
"""

from __future__ import annotations

from adata_assets.hub.lint.folder import Limits, PublishedFolder
from adata_assets.hub.lint.registry import Finding, Rule, find_rules, lint_folder

__all__ = ["Finding", "Limits", "PublishedFolder", "Rule", "find_rules", "lint_folder"]
