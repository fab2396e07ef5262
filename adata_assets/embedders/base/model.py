"""A frozen model: what a method learnt or was given, as arrays and plain facts.

Belongs here: the files of a model and the hash of their content. Nothing is ever pickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from adata_assets.artefact import Artefact, hash_of
from adata_assets.errors import InputError

ARRAYS = "model.safetensors"
FACTS = "model.json"
GENE_IDS = "gene_ids"
METHOD, VERSION, IS_RANDOM = "method", "version", "is_random"


@dataclass(frozen=True)
class FrozenModel:
    """What ``embed`` needs of what ``fit`` found.

    Attributes
    ----------
    arrays
        Numeric or bool arrays by name.
    facts
        JSON-able facts; ``gene_ids`` are the genes that the model reads, where it names them. What
        is stored also tells the ``method`` and ``version`` that it is for.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gene_ids(self) -> list[str]:
        """The genes that the model reads; empty where it names none."""
        return list(self.facts.get(GENE_IDS, ()))

    @property
    def content_hash(self) -> str:
        """sha256 (hex) of arrays and facts, independent of the file format."""
        digest = hashlib.sha256(hash_of(dict(self.facts)).encode())
        for name in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[name])
            digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
            digest.update(array.tobytes() if array.ndim == 0 else array.data)
        return digest.hexdigest()


def save_model(model: FrozenModel, folder: Path) -> str:
    """Write ``model.safetensors`` and ``model.json``; return the content hash (hex)."""
    arrays = {name: np.ascontiguousarray(array) for name, array in sorted(model.arrays.items())}
    save_file(arrays, folder / ARRAYS)
    text = json.dumps(dict(model.facts), sort_keys=True, ensure_ascii=False)
    (folder / FACTS).write_text(text, encoding="utf-8")
    return model.content_hash


def load_model(folder: Path) -> FrozenModel:
    """Read a model from its folder.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return FrozenModel(load_file(folder / ARRAYS), facts)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"{folder} holds no readable model ({error}): it needs {ARRAYS} and {FACTS}"
        ) from error


def load_frozen(model: Artefact) -> FrozenModel:
    """Read a stored model.

    Raises
    ------
    InputError
        If its bytes are not those that its manifest states.
    """
    if damaged := model.damaged_files():
        raise InputError(
            f"{model.dataset_id}/{model.name}: {'; '.join(damaged)}; run "
            f"adata-assets materialize {model.dataset_id} --force {model.stage}"
        )
    return load_model(model.local(ARRAYS).parent)
