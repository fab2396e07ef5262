"""scVI's encoder as plain arrays: what it learnt about genes, and its posterior mean of a cell.

Belongs here: the encoder's arithmetic (scvi-tools' ``Encoder`` and ``FCLayers``, in evaluation
mode: linear, batch norm, layer norm, ReLU). Neither torch nor scvi is needed to apply it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from adata_assets.embedders.base.cells import CellBlock
from adata_assets.embedders.base.model import GENE_IDS, FrozenModel
from adata_assets.errors import InputError

# scvi-tools' FCLayers sets the first; the second is torch's default.
BATCH_NORM_EPS, LAYER_NORM_EPS = 1e-3, 1e-5
_LAYER = "z_encoder.encoder.fc_layers.Layer {}"
_MEAN = "z_encoder.mean_encoder"
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "variance"}
# 512 hidden values of so many cells take 17 MB in float64.
ROWS_AT_ONCE = 4096


def freeze_encoder(
    state: Mapping[str, np.ndarray],
    gene_ids: Sequence[str],
    *,
    log_input: bool = True,
    layer_norm: bool = False,
    facts: Mapping[str, Any] | None = None,
) -> FrozenModel:
    """Return the encoder of a trained model.

    Weights of covariates are left out: a cell is encoded as if every covariate were 0. So its
    latent depends on its counts alone, also where the model was trained with
    ``encode_covariates=True``.

    Parameters
    ----------
    state
        The module's ``state_dict`` as arrays.
    gene_ids
        The genes in the model's order.
    log_input
        Whether counts are encoded as ``log1p`` (``log_variational``).
    layer_norm
        Whether each layer has a layer norm; it has no weights that would tell.
    facts
        Further facts to keep.

    Raises
    ------
    InputError
        If the arrays are not those of such an encoder over these genes.
    """
    arrays: dict[str, np.ndarray] = {}
    n_layers, width = 0, len(gene_ids)
    while f"{(layer := _LAYER.format(n_layers))}.0.weight" in state:
        weight = state[f"{layer}.0.weight"]
        _require_width(layer, weight, width)
        arrays[f"weight_{n_layers}"] = weight[:, :width]
        arrays[f"bias_{n_layers}"] = state[f"{layer}.0.bias"]
        for theirs, ours in _NORM.items():
            if f"{layer}.1.{theirs}" in state:
                arrays[f"{ours}_{n_layers}"] = state[f"{layer}.1.{theirs}"]
        n_layers, width = n_layers + 1, len(weight)
    if not n_layers or f"{_MEAN}.weight" not in state:
        raise InputError(
            f"the model has no encoder of scVI: {_LAYER.format(0)}.0.weight and {_MEAN}.weight are "
            f"looked for, it holds {sorted(state)[:3]} and {max(len(state) - 3, 0)} more"
        )
    arrays |= {"weight_latent": state[f"{_MEAN}.weight"], "bias_latent": state[f"{_MEAN}.bias"]}
    known = {"n_layers": n_layers, "log_input": log_input, "layer_norm": layer_norm}
    kept = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    _require_numbers(kept)
    return FrozenModel(kept, {**(facts or {}), GENE_IDS: list(gene_ids), **known})


def encode(cells: CellBlock, model: FrozenModel) -> np.ndarray:
    """Return the mean of each cell's latent posterior, float32 ``(n_obs, n_dims)``.

    Computed in float64: in float32 a cell's company would change its last digits.
    """
    genes = model.gene_ids
    parts = [_encode(part.counts_of(genes), model) for part in cells.rows(ROWS_AT_ONCE)]
    if not parts:
        return np.empty((0, len(model.arrays["bias_latent"])), np.float32)
    return np.concatenate(parts).astype(np.float32)


def _encode(counts: sp.csr_matrix, model: FrozenModel) -> np.ndarray:
    values: Any = counts.astype(np.float64)
    if model.facts["log_input"]:
        values.data = np.log1p(values.data)
    for i in range(model.facts["n_layers"]):
        values = _linear(values, model, str(i))
        if f"mean_{i}" in model.arrays:
            values = _batch_norm(values, model, i)
        if model.facts["layer_norm"]:
            centred = values - values.mean(axis=1, keepdims=True)
            spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + LAYER_NORM_EPS)
            values = centred / spread
        values = np.maximum(values, 0)
    return _linear(values, model, "latent")


def _linear(values: Any, model: FrozenModel, layer: str) -> np.ndarray:
    weight = model.arrays[f"weight_{layer}"].T.astype(np.float64, order="C")
    return np.asarray(values @ weight + model.arrays[f"bias_{layer}"])


def _batch_norm(values: np.ndarray, model: FrozenModel, i: int) -> np.ndarray:
    mean, variance, gamma, beta = (
        model.arrays[f"{name}_{i}"].astype(np.float64)
        for name in ("mean", "variance", "gamma", "beta")
    )
    return (values - mean) / np.sqrt(variance + BATCH_NORM_EPS) * gamma + beta


def _require_width(layer: str, weight: np.ndarray, width: int) -> None:
    if weight.ndim != 2 or weight.shape[1] < width:
        raise InputError(
            f"{layer} has weights {weight.shape} for {width} inputs: the model's genes and its "
            "weights do not belong together"
        )


def _require_numbers(arrays: Mapping[str, np.ndarray]) -> None:
    wrong = sorted(name for name, array in arrays.items() if not np.isfinite(array).all())
    if wrong:
        raise InputError(
            f"the encoder's {', '.join(wrong)} hold values that are no numbers: the training "
            "diverged; look at the counts for extreme cells, or train with another batch_size"
        )
