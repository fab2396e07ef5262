"""The code location: every dataset under ``defs``, the resources, the sensor.

``ADATA_ASSETS_PROJECT`` names another Dagster project whose datasets are loaded instead.
"""

from __future__ import annotations

import functools

import dagster as dg

from adata_assets.project import load_project_defs, project_path


@dg.definitions
@functools.cache  # A run asks for them twice.
def defs() -> dg.Definitions:
    """Return all definitions."""
    return load_project_defs(project_path())
