"""Vectors by cell id as they are found, and those of the published cells taken out of them.

Belongs here: what a file must hold whatever its format, and matching ids. Formats are beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from adata_assets.errors import InputError

# 4,096 cells of 2,048 values take 32 MB in float32.
ROWS_AT_ONCE = 4096
_N_NAMED = 3


@dataclass(frozen=True)
class FoundVectors:
    """Vectors with the ids of their cells; making one requires that they fit together.

    Attributes
    ----------
    place
        What errors call it: file and key.
    ids
        Ids of the cells, text ``(n_obs,)``.
    values
        Numbers ``(n_obs, n_dims)``: an array, or a stored one that is read by slices of rows.

    Raises
    ------
    InputError
        If ids are no text or repeat, values are no table of numbers, or the two differ in length.
    """

    place: str
    ids: np.ndarray
    values: Any

    def __post_init__(self) -> None:
        """Look at shapes and types; values are not read."""
        shape, dtype = tuple(self.values.shape), np.dtype(self.values.dtype)
        if len(shape) != 2 or shape[1] == 0 or dtype.kind not in "fiu":
            raise InputError(
                f"{self.place}: values are {dtype} of shape {shape}, expected numbers of shape "
                "(n_obs, n_dims)"
            )
        if self.ids.shape != shape[:1]:
            raise InputError(
                f"{self.place}: {self.ids.size} ids for {shape[0]} vectors; each needs its cell's id"
            )
        repeated = pd.Index(self.ids).duplicated()
        if repeated.any():
            raise InputError(
                f"{self.place}: {int(repeated.sum())} ids occur more than once, such as "
                f"{self.ids[repeated][0]!r}; keep one vector per cell"
            )


def require_text(ids: np.ndarray, place: str) -> np.ndarray:
    """Return ids as an object array of str; bytes are taken for UTF-8.

    Raises
    ------
    InputError
        If they are no text.
    """
    if ids.dtype.kind == "S":
        return np.char.decode(ids, "utf-8").astype(object)
    found = ids.astype(object)
    wrong = next((name for name in found.ravel() if not isinstance(name, str)), None)
    if wrong is not None:
        raise InputError(
            f"{place}: ids are {ids.dtype} ({wrong!r}), expected text: save the obs_names "
            "(adata.obs_names.to_numpy(dtype=str))"
        )
    return found


def take_vectors(parts: Iterable[FoundVectors], sample_ids: np.ndarray) -> np.ndarray:
    """Return the vectors of the published cells, float32 ``(n_obs, n_dims)`` in their order.

    Parts are read in blocks of rows; cells that are not published are passed over.

    Raises
    ------
    InputError
        If a published cell has no vector, parts differ in width, or a value is not finite in
        float32.
    """
    order = pd.Index(sample_ids)
    taken, is_found = np.empty((len(order), 0), np.float32), np.zeros(len(order), bool)
    places: list[str] = []
    known: list[str] = []
    for part in parts:
        width = int(part.values.shape[1])
        if not places:
            taken = np.empty((len(order), width), np.float32)
        elif width != taken.shape[1]:
            raise InputError(
                f"{part.place}: {width} values per cell, {places[0]} has {taken.shape[1]}: they are "
                "not of one embedding"
            )
        _fill(taken, is_found, part, order)
        places.append(part.place)
        known += list(part.ids[:_N_NAMED])
    _require_all(is_found, sample_ids, ", ".join(places), known)
    _require_finite(taken, sample_ids, ", ".join(places))
    return taken


def _fill(taken: np.ndarray, is_found: np.ndarray, part: FoundVectors, order: pd.Index) -> None:
    to = order.get_indexer(pd.Index(part.ids))
    for start in range(0, len(to), ROWS_AT_ONCE):
        rows = to[start : start + ROWS_AT_ONCE]
        is_wanted = rows >= 0
        if is_wanted.any():
            block = np.asarray(part.values[start : start + ROWS_AT_ONCE])
            # What is too large for float32 becomes infinite, which is refused by name below.
            with np.errstate(over="ignore"):
                taken[rows[is_wanted]] = block[is_wanted].astype(np.float32)
    is_found[to[to >= 0]] = True


def _require_all(
    is_found: np.ndarray, sample_ids: np.ndarray, place: str, known: Sequence[str]
) -> None:
    if is_found.all():
        return
    lacking = list(sample_ids[~is_found][:_N_NAMED])
    raise InputError(
        f"{place}: {int((~is_found).sum()):,} of {len(is_found):,} published cells have no vector, "
        f"such as {', '.join(lacking)}; its ids look like {', '.join(known[:_N_NAMED])}. Give every "
        "cell's vector under its id in the dataset (of several sources: <source>:<obs name>)"
    )


def _require_finite(taken: np.ndarray, sample_ids: np.ndarray, place: str) -> None:
    for start in range(0, len(taken), ROWS_AT_ONCE):
        wrong = np.flatnonzero(~np.isfinite(taken[start : start + ROWS_AT_ONCE]).all(axis=1))
        if len(wrong):
            raise InputError(
                f"{place}: the vector of {sample_ids[start + wrong[0]]!r} (and of {len(wrong) - 1} "
                "cells after it) holds values that are not finite in float32; compute it again"
            )
