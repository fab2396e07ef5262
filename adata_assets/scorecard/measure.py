"""The scorecard of a dataset: all embeddings on all held-out splits, and their pictures.

Belongs here: the order of the work and the rows. Vectors of one embedding are in memory at a time,
and beside them classes and neighbours of all.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from adata_assets.embedders.base.draws import draw_normal
from adata_assets.scorecard.cells import (
    MAX_SAMPLE,
    MIN_EVALUATED,
    MIN_TRAIN,
    TRAIN,
    Cells,
    HeldOut,
    draw_lowest,
    draw_stratified,
)
from adata_assets.scorecard.picture import draw_embedding
from adata_assets.scorecard.structure import (
    find_near_cells,
    measure_agreement,
    measure_ilisi,
    measure_silhouette,
)
from adata_assets.scorecard.transfer import (
    bootstrap_macro_f1,
    find_interval,
    measure_macro_f1,
    transfer_labels,
)
from adata_assets.scorecard.vectors import StoredEmbedding, read_vectors
from adata_assets.scorecard.verdict import judge

PCA = "pca"
N_NOISE, NOISE_DIMS = 5, 50
"""Noise is drawn by cell id; its width changes nothing about what can be learnt from it."""
