"""The code location: every dataset under ``defs``, the resources, the sensor.

``ADATA_ASSETS_PROJECT`` names another Dagster project whose datasets are loaded instead.
"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from adata_assets.project import load_project_defs


@dg.definitions
def defs() -> dg.Definitions:
    """Return all definitions."""
    return load_project_defs(Path(os.environ.get("ADATA_ASSETS_PROJECT") or Path(__file__).parent))
