"""Find the raw counts of a file and verify them on every stored non-zero.

Belongs here: which matrix of a file holds counts, in which form, and the stream of verified blocks.
Nothing is ever truncated: a value is a count, or the file is refused with the place where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from adata_assets.annotation.counts.forms import (
    SCALE,
    ExpectedCounts,
    Form,
    NotCountsError,
    WholeNumbers,
)
from adata_assets.annotation.counts.kinds import recognise_values
from adata_assets.annotation.counts.logs import LogCounts
from adata_assets.matrix.source import SourceMatrix, list_matrices, open_source_matrix
from adata_assets.spec import CountsRules

__all__ = [
    "SCALE",
    "CountsPlace",
    "CountsReading",
    "NotCountsError",
    "find_counts",
    "open_counts_reading",
]

FormName = Literal["counts", "noisy", "expected", "log1p"]

_PROBE_NONZEROS = 200_000
# Whole numbers, but a part of the counts (velocyto, kb-python) or made from them (scGPT and others).
_OTHER_LAYERS = re.compile(r"spliced|nascent|mature|ambiguous|binned|binar|rank", re.IGNORECASE)
# A matrix of whole numbers is trusted more than one that has to be turned back.
_RANKS = {"counts": 0, "noisy": 0, "log1p": 1, "expected": 2}
_BINARY_RANK = 3
_LOG_KINDS = ("log_rates", "logged", "size_factors")
_WAY_OUT = (
    "Store the raw counts (whole numbers, as the sequencing pipeline wrote them) in "
    "layers['counts'] or name their slot as counts.slot."
)
_WAYS_OUT = {
    "log": " If it is log1p of counts per 10,000 of a part of the genes, give keys.totals, the obs "
    "column of each cell's total counts.",
    "expected": " Expected counts are rounded with counts.allow_expected: true.",
}


@dataclass(frozen=True)
class CountsPlace:
    """Where the counts of a file are, and in which form.

    Attributes
    ----------
    slot
        ``X``, ``raw/X`` or ``layers/<name>``.
    form
        ``counts``, ``noisy`` (with float noise around whole numbers), ``expected`` (rounded) or
        ``log1p`` of counts per 10,000.
    """

    slot: str
    form: FormName


def find_counts(
    path: Path, rules: CountsRules, *, totals: np.ndarray | None, scratch: Path
) -> tuple[CountsPlace, ...]:
    """Return the matrices that may hold the counts, judged on the first cells of each.

    Parameters
    ----------
    path
        A raw file.
    rules
        Which slot, and whether expected counts are rounded.
    totals
        Known total counts per cell, shape ``(n_obs,)``, or None.
    scratch
        Folder for temporary files.

    Returns
    -------
    Best first: whole numbers, then what can be turned back, then matrices of nothing but ones;
    among equals ``layers/counts``, ``raw/X``, ``X`` and the other layers by name. Layers that hold
    a part of the counts by their name (``spliced``) count only when they are named.

    Raises
    ------
    NotCountsError
        If there is none: says for each matrix what it holds instead, and the way out.
    """
    found: list[tuple[int, CountsPlace]] = []
    reasons, hints = [], set()
    for slot in [rules.slot] if rules.slot else list_matrices(path):
        if not rules.slot and slot.startswith("layers/") and _OTHER_LAYERS.search(slot):
            reasons.append(f"{slot}: by its name a part of the counts; counts.slot can choose it")
            continue
        with open_source_matrix(path, slot, scratch=scratch) as matrix:
            block = _probe(matrix)
        judged = _judge(f"{path.name}, {slot}", slot, block, rules, totals)
        if isinstance(judged, _Refusal):
            reasons.append(judged.reason)
            hints.add(judged.hint)
        else:
            found.append(judged)
    if not found:
        looked_at = "\n  ".join(reasons) or "the file has no matrix"
        ways = _WAY_OUT + "".join(_WAYS_OUT[hint] for hint in sorted(hints & _WAYS_OUT.keys()))
        raise NotCountsError(f"{path.name} holds no raw counts. Looked at:\n  {looked_at}\n{ways}")
    return tuple(place for _, place in sorted(found, key=lambda ranked: ranked[0]))


@dataclass(frozen=True)
class _Refusal:
    reason: str
    hint: str


def _probe(matrix: SourceMatrix) -> sp.csr_matrix:
    blocks, n_nonzeros = [sp.csr_matrix((0, matrix.n_vars), dtype=matrix.dtype)], 0
    for _, block in matrix.iter_blocks(max_nonzeros=_PROBE_NONZEROS):
        blocks.append(block)
        n_nonzeros += block.nnz
        if n_nonzeros >= _PROBE_NONZEROS:
            break
    return sp.vstack(blocks, format="csr")


def _judge(
    name: str, slot: str, block: sp.csr_matrix, rules: CountsRules, totals: np.ndarray | None
) -> tuple[int, CountsPlace] | _Refusal:
    if not block.nnz:
        return _Refusal(f"{name}: only zeros", "")
    seeming = recognise_values(block)
    if seeming.kind == "rounded_rates":
        return _Refusal(f"{name}: it seems to hold {seeming.text}", "")
    whole = WholeNumbers(name)
    try:
        whole.convert(0, block)
    except NotCountsError as error:
        reason = str(error)
    else:
        form: FormName = "noisy" if whole.n_rounded else "counts"
        rank = _RANKS[form] if whole.largest_count > 1 else _BINARY_RANK
        return rank, CountsPlace(slot, form)
    others: list[tuple[FormName, Form]] = [("log1p", LogCounts(name, totals))]
    if rules.allow_expected:
        others.append(("expected", ExpectedCounts(name)))
    for form, reader in others:
        try:
            reader.convert(0, block)
            reader.finish()
        except NotCountsError as error:
            reason = str(error) if form == "log1p" and seeming.kind in _LOG_KINDS else reason
        else:
            return _RANKS[form], CountsPlace(slot, form)
    is_expected = seeming.kind == "expected" and not rules.allow_expected
    # Stated totals are of no use where values were scaled to another sum.
    is_log = seeming.kind in _LOG_KINDS and (seeming.level is None or round(seeming.level) == SCALE)
    return _Refusal(reason, "expected" if is_expected else "log" if is_log else "")


class CountsReading:
    """The verified counts of one matrix: iterate to get ``(first row, int32 CSR block)``.

    All rows come in order. Iterating raises ``NotCountsError`` at the first value that is not a
    count, and at the end for what only all values together show.

    Parameters
    ----------
    matrix
        As stored.
    place
        Its slot and the form of its values; noise is accepted in ``counts`` too.
    totals
        Known total counts per cell, or None.
    """

    def __init__(self, matrix: SourceMatrix, place: CountsPlace, totals: np.ndarray | None) -> None:
        self._matrix, self._place = matrix, place
        name = f"{matrix.path.name}, {place.slot}"
        self._reader: Form
        if place.form == "log1p":
            self._reader = LogCounts(name, totals)
        elif place.form == "expected":
            self._reader = ExpectedCounts(name)
        else:
            self._reader = WholeNumbers(name)

    def __iter__(self) -> Iterator[tuple[int, sp.csr_matrix]]:
        """Yield ``(first row, int32 CSR block)`` over all rows in order."""
        for start, block in self._matrix.iter_blocks():
            yield start, self._checked(start, block)
        try:
            self._reader.finish()
        except NotCountsError as error:
            raise NotCountsError(f"{error}. {_WAY_OUT}") from error

    def _checked(self, start: int, block: sp.csr_matrix) -> sp.csr_matrix:
        try:
            return self._reader.convert(start, block)
        except NotCountsError as error:
            raise NotCountsError(f"{error}. {_WAY_OUT}") from error

    @property
    def report(self) -> dict[str, Any]:
        """What was seen so far (JSON): slot, form, numbers of values, errors, warnings."""
        seen = self._reader.report()
        form = self._place.form
        if form in ("counts", "noisy"):
            form = "noisy" if seen["n_rounded"] else "counts"
        warnings = self._reader.warnings()
        return {"slot": self._place.slot, "form": form, **seen, "warnings": warnings}


@contextmanager
def open_counts_reading(
    path: Path, place: CountsPlace, *, totals: np.ndarray | None, scratch: Path
) -> Iterator[CountsReading]:
    """Open the counts of a file for one pass over all its cells.

    Parameters
    ----------
    path
        A raw file.
    place
        One of ``find_counts``.
    totals
        Known total counts per cell, shape ``(n_obs,)``, or None.
    scratch
        Folder for temporary files.

    Raises
    ------
    InputError
        If the file has no such matrix.
    """
    with open_source_matrix(path, place.slot, scratch=scratch) as matrix:
        yield CountsReading(matrix, place, totals)
