"""A model that scvi-tools saved (``model.pt``), read without building its objects.

Belongs here: the one place that opens torch's own format. The file is a pickle: torch's reader for
weights runs it, which builds tensors and plain values and looks nothing up by name. Arrays and
tables in it (gene names, training history) become records of what they would be built from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adata_assets.errors import InputError

# What scvi-tools' files name beside tensors; all of it becomes records, none of it is called.
_ADMITTED = re.compile(
    r"builtins\.(bytes|dict|slice)|numpy\.(dtype|ndarray)|numpy\._?core\.(multiarray\._reconstruct|"
    r"multiarray\.scalar|numeric\._frombuffer)|pandas\.(core\.(frame|series|indexes|internals)|"
    r"_libs\.internals)\.[\w.]+"
)
_DEFAULT_DICT = "collections.defaultdict"
_PARTS = ("model_state_dict", "var_names", "attr_dict")


class Record:
    """Stands for an object that is not built: what it would have been built from."""

    args: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *args: Any) -> Record:
        """Keep the arguments."""
        record = super().__new__(cls)
        record.args = args
        return record

    def __setstate__(self, state: Any) -> None:
        """Keep the state."""
        self.state = state


@dataclass(frozen=True)
class Checkpoint:
    """What a saved model holds.

    Attributes
    ----------
    state
        The module's ``state_dict`` as arrays.
    var_names
        Genes in the model's order.
    attributes
        The model's own facts: plain values and records.
    """

    state: Mapping[str, np.ndarray]
    var_names: list[str]
    attributes: Mapping[str, Any]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a model that scvi-tools saved (from 0.15 on); nothing of it is executed.

    Raises
    ------
    InputError
        If it names anything that a model has no need of, is damaged, or is something else.
    """
    import torch
    from torch._weights_only_unpickler import UnpicklingError
    from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

    try:
        names = get_unsafe_globals_in_checkpoint(path)
        _require_harmless(path, names)
        stand_ins: list[Any] = [
            (_empty_dict if name == _DEFAULT_DICT else Record, name) for name in names
        ]
        with safe_globals(stand_ins):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except (UnpicklingError, EOFError, RuntimeError, ValueError, TypeError) as error:
        what = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise InputError(f"{path}: not a model that scvi-tools saved ({what})") from error
    if not isinstance(found, dict) or not set(_PARTS) <= set(found):
        raise InputError(
            f"{path}: not a model that scvi-tools saved: it lacks {', '.join(_PARTS)}; give the "
            "model.pt that SCVI.save wrote"
        )
    state = {
        name: tensor.float().numpy()
        for name, tensor in found["model_state_dict"].items()
        if isinstance(tensor, torch.Tensor)
    }
    return Checkpoint(state, _read_names(path, found["var_names"]), found["attr_dict"])


def _require_harmless(path: Path, names: list[str]) -> None:
    strange = sorted(
        name for name in names if not _ADMITTED.fullmatch(name) and name != _DEFAULT_DICT
    )
    if strange:
        raise InputError(
            f"{path} asks for {', '.join(strange)}, which no model of scvi-tools needs: it could "
            "run anything on this machine and is not read; get the model from a source you trust"
        )


def _empty_dict(*args: Any) -> dict[Any, Any]:
    return {}


def _read_names(path: Path, names: Any) -> list[str]:
    found: Any = names
    if not isinstance(names, list):
        # numpy's own state of an array: version, shape, dtype, order, values.
        state = names.state if isinstance(names, Record) and names.state else (None,) * 5
        kind, values = state[2], state[4]
        if isinstance(values, bytes) and isinstance(kind, Record) and kind.args[0][:1] == "U":
            found = np.frombuffer(values, f"<{kind.args[0]}").tolist()
        else:
            found = values
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise InputError(
            f"{path}: the names of its genes cannot be read; models of one modality are meant"
        )
    return found
