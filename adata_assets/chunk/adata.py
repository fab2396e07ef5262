"""The AnnData of one chunk: counts, obs, var, embeddings and what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from adata_assets.annotation.harmonised.privacy import select_published
from adata_assets.annotation.store import Cells
from adata_assets.schemas.slots import UNS_KEY

OWN_PREFIX = "adata_assets_"
_OWN_COLUMNS = (
    "source",
    "split",
    "caption",
    "caption_id",
    "depth_mode",
    "total_counts_source",
    "n_genes_source",
)


def build_chunk_adata(
    counts: sp.csr_matrix,
    cells: Cells,
    var: pd.DataFrame,
    embeddings: Mapping[str, np.ndarray],
    *,
    publish_obs: Sequence[str] | None,
    drop_obs: Sequence[str] = (),
    about: Mapping[str, Any],
) -> AnnData:
    """Put a chunk together.

    Parameters
    ----------
    counts
        int32 CSR ``(n_obs, n_vars)``.
    cells
        The obs tables of the same cells.
    var
        ``VarSchema``.
    embeddings
        ``X_<name>`` to float32 ``(n_obs, n_dims)``.
    publish_obs
        Columns of the source to publish; None for all.
    drop_obs
        Columns of the source that stay on the machine.
    about
        Goes to ``uns['adata_assets']``.

    Raises
    ------
    InputError
        If ``publish_obs`` or ``drop_obs`` names a column that is not there.
    """
    obs, source_obs = cells.obs, cells.source_obs
    published = select_published(source_obs.columns, publish_obs, drop_obs)
    ours = {
        **{name: cells.harmonised[name] for name in cells.harmonised},
        **{name: obs[name] for name in _OWN_COLUMNS if obs[name].notna().any()},
    }
    columns = {name: _storable(source_obs[name]) for name in published} | {
        (f"{OWN_PREFIX}{name}" if name in source_obs else name): _storable(column)
        for name, column in ours.items()
    }
    adata = AnnData(
        X=counts,
        obs=pd.DataFrame(columns, index=range(len(obs))).set_axis(
            pd.Index(obs["sample_idx"].astype(str), name=None)
        ),
        var=pd.DataFrame(
            {
                "symbol": var["symbol"].fillna("").to_numpy(),
                "feature_class": pd.Categorical(var["feature_class"]),
                "is_mt": var["is_mt"].to_numpy(),
                "id_status": pd.Categorical(var["id_status"]),
            },
            index=pd.Index(var["gene_id"].astype(str), name=None),
        ),
        obsm=dict(embeddings),
        uns={UNS_KEY: dict(about)},
    )
    return adata


def _storable(column: pd.Series) -> pd.Series:
    plain = column.reset_index(drop=True)
    return plain.astype("category") if plain.dtype == object else plain
