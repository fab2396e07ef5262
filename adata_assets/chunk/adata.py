"""The AnnData of one chunk: counts, obs, var, embeddings and what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from adata_assets.errors import InputError
from adata_assets.schemas.slots import UNS_KEY

OWN_PREFIX = "adata_assets_"
_OWN_COLUMNS = ("split", "caption", "caption_id", "total_counts_source", "n_genes_source")


def build_chunk_adata(
    counts: sp.csr_matrix,
    obs: pd.DataFrame,
    source_obs: pd.DataFrame,
    var: pd.DataFrame,
    embeddings: Mapping[str, np.ndarray],
    *,
    publish_obs: Sequence[str] | None,
    about: Mapping[str, Any],
) -> AnnData:
    """Put a chunk together.

    Parameters
    ----------
    counts
        int32 CSR ``(n_obs, n_vars)``.
    obs, source_obs
        ``ObsSchema`` rows and the file's own columns of the same cells.
    var
        ``VarSchema``.
    embeddings
        ``X_<name>`` to float32 ``(n_obs, n_dims)``.
    publish_obs
        Columns of the source to publish; None for all.
    about
        Goes to ``uns['adata_assets']``.

    Raises
    ------
    InputError
        If ``publish_obs`` names a column that is not there.
    """
    if unknown := sorted(set(publish_obs or ()) - set(source_obs)):
        raise InputError(f"publish_obs names {unknown}; obs columns are {list(source_obs.columns)}")
    published = source_obs[list(publish_obs)] if publish_obs is not None else source_obs
    own = {
        (f"{OWN_PREFIX}{name}" if name in source_obs else name): _storable(obs[name])
        for name in _OWN_COLUMNS
        if obs[name].notna().any()
    }
    columns = {name: _storable(published[name]) for name in published} | own
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
