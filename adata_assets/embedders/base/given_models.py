"""Models that are given instead of fitted: another dataset's, or a folder with a stated hash.

Belongs here: taking them only if they are what was meant. How a model is stored is in ``model``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from adata_assets.artefact import Artefact
from adata_assets.embedders.base.model import (
    ARRAYS,
    FACTS,
    METHOD,
    VERSION,
    FrozenModel,
    load_model,
)
from adata_assets.embedders.contract import Embedder
from adata_assets.errors import InputError


def load_given(path: str, sha256: str, *, folder: Path | None) -> FrozenModel:
    """Load a model from a folder that the dataset's YAML names.

    Parameters
    ----------
    sha256
        Content hash that the model must have, 64 hex digits: what the dataset card calls its hash.
    folder
        Where a relative path begins; the working directory by default.

    Raises
    ------
    InputError
        If files are missing or damaged, or hold another model.
    """
    place = ((folder or Path()) / Path(path).expanduser()).absolute()
    if missing := [name for name in (ARRAYS, FACTS) if not (place / name).is_file()]:
        raise InputError(
            f"artefact path {path!r}: {place} has no {' and no '.join(missing)}; give the folder of "
            "a model that was frozen before (the folder of the asset models/<name> in the UI)"
        )
    found = load_model(place)
    if found.content_hash != sha256:
        raise InputError(
            f"artefact path {path!r}: the model in {place} has the hash {found.content_hash}, the "
            f"YAML states {sha256}: it is damaged or another one; give the right folder, or "
            "correct sha256"
        )
    return found


def require_same_method(model: FrozenModel, embedder: Embedder, *, name: str, place: str) -> None:
    """Require that a given model is of the method and the version that are to apply it.

    Parameters
    ----------
    name
        Name of the embedder that takes it.
    place
        Where the model comes from.

    Raises
    ------
    InputError
        If it is not: names both.
    """
    wanted = (embedder.method, embedder.version)
    found = (model.facts.get(METHOD), model.facts.get(VERSION))
    if found != wanted:
        theirs = f"of {found[0]}, version {found[1]}" if found[0] else "without a method"
        raise InputError(
            f"embedder {name!r} is {wanted[0]}, version {wanted[1]}; the model of {place} is "
            f"{theirs}: its values would mean something else; take a model of the same method, "
            "frozen by the same version (materialize its dataset again)"
        )


def as_input(artefact: Artefact, dataset_id: str) -> Artefact:
    """Return an artefact as a dataset records its inputs.

    What another dataset made is called ``<dataset>/<stage>`` and keeps its generation to itself:
    the generations of two datasets have nothing to do with each other.
    """
    if artefact.dataset_id == dataset_id:
        return artefact
    return replace(artefact, stage=f"{artefact.dataset_id}/{artefact.stage}", generation={})


def origin_of(artefact: Artefact, dataset_id: str) -> dict[str, object] | None:
    """Return what is told about a model of another dataset; None for a dataset's own input."""
    if artefact.dataset_id == dataset_id:
        return None
    return {
        "dataset": artefact.dataset_id,
        "stage": artefact.stage,
        "model_hash": artefact.data_version,
        "generation": dict(artefact.generation),
    }
