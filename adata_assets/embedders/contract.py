"""What an embedder promises, and how one is found by its name.

Belongs here: the contract. A method is a module of this folder with a class ``Embedder``; nobody
keeps a list of them.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

import adata_assets.embedders as _folder
from adata_assets.errors import InputError
from adata_assets.spec import EmbedderSpec

if TYPE_CHECKING:
    import numpy as np

    from adata_assets.embedders.base.cells import CellBlock, TrainStream
    from adata_assets.embedders.base.model import FrozenModel
    from adata_assets.sources.raw import RawFile

FitScope = Literal["train", "other_dataset", "external"]


class EmbedderSettings(BaseModel):
    """Base of the settings that a method takes from the dataset's YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class GivenData:
    """What a dataset offers beside its train cells to methods that take what is given.

    Attributes
    ----------
    sample_ids
        Ids of all published cells, str ``(n_obs,)`` in dataset order.
    files
        The pinned raw files; empty unless the method takes them.
    folder
        Where relative paths of the dataset's YAML begin; None: the working directory.
    """

    sample_ids: np.ndarray
    files: tuple[RawFile, ...] = ()
    folder: Path | None = None


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
    learns
        Whether ``fit`` learns from the values of train cells; a method that does not works in a
        dataset without train cells.
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
    learns: ClassVar[bool] = True
    role: ClassVar[Literal["input", "control"]] = "input"
    citation: ClassVar[str | None] = None
    extra: ClassVar[str | None] = None
    pool: ClassVar[str | None] = None
    tolerance: ClassVar[float] = 1e-6

    def __init__(self, settings: Any) -> None:
        """Keep the validated settings."""
        self.settings = settings

    @property
    def method(self) -> str:
        """Name of the method: that of its module."""
        return type(self).__module__.rpartition(".")[2]

    @property
    @abstractmethod
    def n_dims(self) -> int | None:
        """Width of the embedding; None where only the weights tell it."""

    @property
    def is_random(self) -> bool:
        """Whether its weights are random on purpose, so that no scorecard judges it."""
        return False

    @property
    def takes_raw_files(self) -> bool:
        """Whether ``freeze`` reads the raw files for something that no other stage keeps."""
        return False

    @abstractmethod
    def fit(self, train: TrainStream) -> FrozenModel:
        """Learn from the train cells, or take what was given; return what is frozen.

        Depends on the dataset order, the settings and the seed alone.
        """

    def freeze(self, train: TrainStream, given: GivenData) -> FrozenModel:
        """Return what is frozen: what ``fit`` finds.

        Only a method that learns nothing and takes vectors by cell id does something else.
        """
        return self.fit(train)

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


def scope_of(embedder: Embedder, spec: EmbedderSpec) -> FitScope:
    """Return where the model of an embedding comes from.

    ``train``: learnt from the dataset's own train cells; ``other_dataset``: taken from another
    dataset of the project; ``external``: nothing was learnt here.
    """
    if spec.artefact is not None:
        return "external" if spec.artefact.dataset is None else "other_dataset"
    return "train" if embedder.learns else "external"


def require_extra(embedder: Embedder) -> None:
    """Require the packages that the extra of a method brings.

    Raises
    ------
    InputError
        If one is not installed: names the command that installs it.
    """
    missing = sorted({name for name in _packages_of(embedder.extra) if not _is_installed(name)})
    if missing:
        raise InputError(
            f"{embedder.method} needs {', '.join(missing)}, which is not installed: "
            f"pip install 'adata_assets[{embedder.extra}]'"
        )


def _packages_of(extra: str | None) -> Iterator[str]:
    from packaging.requirements import Requirement

    if extra is None:
        return
    for text in importlib.metadata.requires("adata_assets") or ():
        needed = Requirement(text)
        is_always = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if not is_always and needed.marker and needed.marker.evaluate({"extra": extra}):
            yield needed.name


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
