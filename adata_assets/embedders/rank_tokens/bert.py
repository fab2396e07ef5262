"""The forward pass: a BERT from its config and its safetensors file, up to the layer that is read.

Belongs here: everything that knows torch. Only the two named files of a model's folder are opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError

from adata_assets.embedders.rank_tokens.encode import RankTokens
from adata_assets.errors import InputError

if TYPE_CHECKING:
    import torch
    from transformers import BertModel

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MODEL_FILES = (CONFIG, WEIGHTS)
# Of a batch with its padding. A CPU gains nothing by more, a GPU is kept busy by it.
TOKENS_PER_BATCH = {"cpu": 8_192, "cuda": 65_536}
_N_NAMED = 3
# Parts of checkpoints that no embedding reads.
_UNREAD = ("cls.", "pooler.", "classifier.", "embeddings.position_ids")


class BertShape(BaseModel):
    """What a model's ``config.json`` says about its form; the rest of the file is not used."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model_type: Literal["bert"]
    position_embedding_type: Literal["absolute"] = "absolute"
    vocab_size: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    num_hidden_layers: int = Field(ge=2)
    num_attention_heads: int = Field(ge=1)
    intermediate_size: int = Field(ge=1)
    max_position_embeddings: int = Field(ge=1)
    type_vocab_size: int = Field(2, ge=1)
    layer_norm_eps: float = Field(1e-12, gt=0)
    hidden_act: Literal["relu", "gelu", "silu"] = "gelu"


def read_shape(config: Path) -> BertShape:
    """Read a model's ``config.json``.

    Raises
    ------
    InputError
        If it is unreadable or not that of a BERT.
    """
    try:
        return BertShape(**json.loads(config.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        told = (
            "; ".join(f"{e['loc'][0]}: {e['msg']} (found {e['input']!r})" for e in error.errors())
            if isinstance(error, ValidationError)
            else str(error)
        )
        raise InputError(f"{config} is not the config of a BERT model: {told}") from error


def choose_device(asked: str) -> str:
    """Return ``cuda`` or ``cpu``; ``auto`` takes the GPU that is there.

    Raises
    ------
    InputError
        If ``cuda`` is asked for and there is none.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if asked == "cuda" and not has_gpu:
        raise InputError("device is cuda, but torch finds no GPU here: set device to cpu or auto")
    return "cuda" if has_gpu and asked != "cpu" else "cpu"


def load_bert(folder: Path, shape: BertShape) -> BertModel:
    """Load a model up to its second-to-last layer, float32, on the CPU.

    The last layer is left out, so that what comes out is the state that is read.

    Raises
    ------
    InputError
        If the weights are damaged, or not those of the config: names the tensors.
    """
    import torch
    from transformers import BertConfig, BertModel

    settings = shape.model_dump(exclude={"model_type", "position_embedding_type"})
    settings["num_hidden_layers"] -= 1
    config = BertConfig(**settings)
    # Without storage: drawing weights that are replaced at once takes seconds.
    with torch.device("meta"):
        wanted = BertModel(config, add_pooling_layer=False).state_dict()
    found = _read_weights(folder / WEIGHTS, wanted, shape)
    with _without_progress_bar():
        # No name is given, so nothing but these tensors is looked for.
        bert = BertModel.from_pretrained(
            None, config=config, state_dict=found, add_pooling_layer=False
        )
    return bert.eval()


def embed_tokens(
    bert: BertModel,
    tokens: RankTokens,
    *,
    pad: int,
    pooling: Literal["cls", "mean"],
    batch_size: int,
    device: str,
    gpu_precision: str,
) -> np.ndarray:
    """Return one vector per cell, float32 ``(n_obs, hidden_size)``.

    Parameters
    ----------
    bert
        What ``load_bert`` returned.
    tokens
        Tokens of the cells; no cell is without any.
    pad
        Token that fills up a batch; it is masked out.
    pooling
        The state of the first token, or the mean over all tokens of the cell.
    batch_size
        Most cells of a batch; long cells come in smaller ones.
    device
        ``cpu`` or ``cuda``.
    gpu_precision
        Type of the products on a GPU; a CPU computes in float32.
    """
    import torch

    torch.nn.Module.to(bert, device)
    vectors = np.empty((len(tokens.lengths), int(bert.config.hidden_size)), dtype=np.float32)
    is_mixed = device == "cuda" and gpu_precision != "float32"
    dtype = getattr(torch, gpu_precision)
    with torch.inference_mode(), torch.autocast("cuda", dtype=dtype, enabled=is_mixed):
        for cells in tokens.batches(max_obs=batch_size, max_tokens=TOKENS_PER_BATCH[device]):
            lengths = torch.from_numpy(tokens.lengths[cells]).to(device)
            ids = torch.from_numpy(tokens.padded(cells, pad)).to(device)
            is_token = torch.arange(ids.shape[1], device=device) < lengths[:, None]
            states = bert(input_ids=ids, attention_mask=is_token.long()).last_hidden_state.float()
            vectors[cells] = _pool(states, is_token, pooling).cpu().numpy()
    return vectors


def _pool(
    states: torch.Tensor, is_token: torch.Tensor, pooling: Literal["cls", "mean"]
) -> torch.Tensor:
    if pooling == "cls":
        return states[:, 0]
    kept = states.masked_fill(~is_token[:, :, None], 0.0)
    return kept.sum(dim=1) / is_token.sum(dim=1, keepdim=True)


@contextmanager
def _without_progress_bar() -> Iterator[None]:
    from transformers.utils import logging

    was_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_shown:
            logging.enable_progress_bar()


def _read_weights(
    path: Path, wanted: Mapping[str, torch.Tensor], shape: BertShape
) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    try:
        read = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} is no readable safetensors file ({error}): get it again"
        ) from error
    last = f"encoder.layer.{shape.num_hidden_layers - 1}."
    unread = (*_UNREAD, last)
    named = {name.removeprefix("bert."): tensor.float() for name, tensor in read.items()}
    found = {name: tensor for name, tensor in named.items() if not name.startswith(unread)}
    wrong = [f"no {name}" for name in wanted if name not in found]
    # It is not loaded, but without it another layer would be the second to last.
    wrong += [] if any(name.startswith(last) for name in named) else [f"no {last}*"]
    wrong += [f"unknown {name}" for name in found if name not in wanted]
    wrong += [
        f"{name} of shape {tuple(found[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    if wrong:
        raise InputError(
            f"{path} does not fit {path.with_name(CONFIG)}: {len(wrong)} tensors differ, e.g. "
            f"{'; '.join(wrong[:_N_NAMED])}: take both from the same model"
        )
    return found
