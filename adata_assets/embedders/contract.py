"""What an embedder promises, and how one is found by its name.

Belongs here: the contract. A method is a module of this folder with a class ``Embedder``; nobody
keeps a list of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

import adata_assets.embedders as _folder
from adata_assets.errors import InputError
from adata_assets.spec import EmbedderSpec

if TYPE_CHECKING:
    import numpy as np

    from adata_assets.embedders.base.cells import CellBlock, TrainStream
    from adata_assets.embedders.base.model import FrozenModel


class EmbedderSettings(BaseModel):
    """Base of the settings that a method takes from the dataset's YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Embedder(ABC):
    """One method: fitted once on the train cells, applied to every chunk.

    Attributes
    ----------
    version
        Changes when the same settings and cells would give other values.
    settings_model
        What the dataset's YAML may set.
    reads
        What it is computed from.
    role
        ``control`` for methods that are there to be compared with.
    citation
        The work to cite, without a host.
    extra
        The extra of this package that brings what the method needs; None: nothing.
    pool
        Name of the Dagster pool that its steps share with other heavy ones; None: no pool.
    tolerance
        How far two runs of ``embed`` may be apart, relative to the largest value, when cells come
        in other company or order.
    """

    version: ClassVar[str]
    settings_model: ClassVar[type[EmbedderSettings]]
    reads: ClassVar[Literal["counts", "lognorm", "given"]]
    role: ClassVar[Literal["input", "control"]] = "input"
    citation: ClassVar[str | None] = None
    extra: ClassVar[str | None] = None
    pool: ClassVar[str | None] = None
    tolerance: ClassVar[float] = 1e-6

    def __init__(self, settings: Any) -> None:
        """Keep the validated settings."""
        self.settings = settings

    @property
    @abstractmethod
    def n_dims(self) -> int | None:
        """Width of the embedding; None where only the weights tell it."""

    @property
    def is_random(self) -> bool:
        """Whether its weights are random on purpose, so that no scorecard judges it."""
        return False

    @abstractmethod
    def fit(self, train: TrainStream) -> FrozenModel:
        """Learn from the train cells, or take what was given; return what is frozen.

        Depends on the dataset order, the settings and the seed alone.
        """

    @abstractmethod
    def embed(self, cells: CellBlock, model: FrozenModel) -> np.ndarray:
        """Return float32 ``(n_obs, n_dims)``, finite, whichever cells come together."""


def embedder_names() -> list[str]:
    """Return the methods that there are: the modules of this folder that hold one.

    Examples
    --------
    >>> {"hvg", "pca"} <= set(embedder_names())
    True
    """
    return sorted(
        module.name
        for module in pkgutil.iter_modules(_folder.__path__)
        if not module.ispkg and module.name != "contract"
    )


def load_embedder(spec: EmbedderSpec) -> Embedder:
    """Return the method that a spec names, with its settings validated.

    Raises
    ------
    InputError
        For an unknown method (lists the known ones) or a wrong setting (names it).
    """
    if spec.method not in embedder_names():
        raise InputError(
            f"embedder {spec.name!r}: unknown method {spec.method!r}; known: {embedder_names()}"
        )
    method: type[Embedder] = importlib.import_module(f"{_folder.__name__}.{spec.method}").Embedder
    try:
        return method(method.settings_model(**spec.settings))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']} (found {e['input']!r})"
            for e in error.errors()
        )
        raise InputError(
            f"embedder {spec.name!r} ({spec.method}): {wrong}; settings are "
            f"{sorted(method.settings_model.model_fields)}"
        ) from error
