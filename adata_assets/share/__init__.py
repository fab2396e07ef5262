"""Share stores: one module per store, found by its name, imported when asked for.

A store's module defines `Store` (see `contract.ShareStore`) and `Settings`, a frozen pydantic
model that refuses unknown fields. A module whose defaults depend on the dataset also defines
``complete_settings(spec)``, which returns its settings. A new store is a new module; no list has to
be extended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from upath import UPath

from adata_assets.errors import InputError
from adata_assets.share.contract import ShareStore
from adata_assets.spec import DatasetSpec
from adata_assets.storage import Storage

__all__ = [
    "load_dataset_settings",
    "load_share_settings",
    "open_dataset_store",
    "open_share_store",
    "require_share_store",
    "share_store_names",
]


def share_store_names() -> list[str]:
    """Return the names of all stores, sorted; imports none of them.

    Examples
    --------
    >>> "local" in share_store_names()
    True
    """
    # Read, not imported: a store may need a client library that is not installed.
    return sorted(
        module.stem
        for folder in __path__
        for module in Path(folder).glob("*.py")
        if _defines_store(module.read_text(encoding="utf-8"))
    )


def load_share_settings(name: str, settings: Mapping[str, Any]) -> BaseModel:
    """Return the checked settings of a store.

    Raises
    ------
    InputError
        If there is no such store (the message lists the stores), or a setting is unknown or has
        a wrong value (the message names the field and what is allowed).
    """
    model: type[BaseModel] = _load_store_module(name).Settings
    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        problems = "; ".join(_describe_problems(error, model))
        # The chain is cut because pydantic's own text repeats the values, secret or not.
        raise InputError(f"share store {name!r}: {problems}") from None


def open_share_store(
    name: str, settings: Mapping[str, Any], *, root: UPath, dataset_id: str
) -> ShareStore:
    """Return the store of one dataset.

    Parameters
    ----------
    name
        One of `share_store_names`.
    settings
        As in the dataset's YAML.
    root
        Storage root (``ADATA_ASSETS_STORAGE``).
    dataset_id
        Files of different datasets never share a folder.

    Raises
    ------
    InputError
        As `load_share_settings`; also if the store cannot work with this root.
    """
    checked = load_share_settings(name, settings)
    store = _load_store_module(name).Store(checked, root=root, dataset_id=dataset_id)
    return cast("ShareStore", store)


def load_dataset_settings(spec: DatasetSpec) -> BaseModel:
    """Return the checked settings of a dataset's store, with what the rest of its spec implies.

    Raises
    ------
    InputError
        As `load_share_settings`.
    """
    return load_share_settings(spec.share.store, _complete_settings(spec))


def open_dataset_store(spec: DatasetSpec, *, root: UPath) -> ShareStore:
    """Return the store that a dataset's YAML names.

    Raises
    ------
    InputError
        As `open_share_store`.
    """
    return open_share_store(
        spec.share.store, _complete_settings(spec), root=root, dataset_id=spec.dataset_id
    )


def require_share_store(spec: DatasetSpec, storage: Storage) -> None:
    """Refuse a store that cannot work with the storage root, before anything is written there.

    Raises
    ------
    InputError
        As `open_share_store`.
    """
    open_dataset_store(spec, root=storage.root)


def _complete_settings(spec: DatasetSpec) -> dict[str, Any]:
    complete = getattr(_load_store_module(spec.share.store), "complete_settings", None)
    return dict(complete(spec)) if complete else spec.share.settings


def _defines_store(source: str) -> bool:
    # No ast: parsing in several threads at once can fail in Python 3.11 (gh-106905).
    return re.search(r"^class Store\b", source, re.MULTILINE) is not None


def _load_store_module(name: str) -> ModuleType:
    names = share_store_names()
    if name not in names:
        raise InputError(f"share store {name!r} does not exist: use one of {', '.join(names)}")
    return import_module(f"{__name__}.{name}")


def _describe_problems(error: ValidationError, model: type[BaseModel]) -> Iterable[str]:
    fields = ", ".join(sorted(model.model_fields))
    # An unknown or malformed setting may be a misplaced secret: its value is never repeated.
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        field = ".".join(str(part) for part in problem["loc"]) or "settings"
        if problem["type"] == "extra_forbidden":
            yield f"there is no setting {field!r}; allowed settings: {fields}"
        else:
            yield f"{field}: {problem['msg']}"
