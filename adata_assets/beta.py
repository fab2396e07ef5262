"""Warnings of Dagster about what it calls beta or preview.

Belongs here: turning them off for people. Dagster is pinned to a minor release in which all of it was
tried, and nobody at the command can act on them.
"""

from __future__ import annotations

import warnings


def ignore_beta_warnings() -> None:
    """Turn them off in this process, or within ``warnings.catch_warnings``."""
    warnings.filterwarnings("ignore", message=".*is currently in (beta|preview).*")
