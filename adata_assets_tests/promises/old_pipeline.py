"""The older pipeline's way of doing things, in a few lines each, so that tests can show it fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd


def first_match_negatives(captions: list[str], n_slots: int) -> list[list[int]]:
    """P1: odd slots the first cells of other captions, even ones the first other cells."""
    first_of = {caption: captions.index(caption) for caption in dict.fromkeys(captions)}
    rows = []
    for anchor, caption in enumerate(captions):
        others = [i for c, i in first_of.items() if c != caption]
        cells = [i for i in first_of.values() if i != anchor]
        slots = [(others if slot % 2 == 0 else cells, slot // 2) for slot in range(n_slots)]
        rows.append([found[i] for found, i in slots if i < len(found)])
    return rows


def variable_genes(counts: np.ndarray, n_top: int) -> set[int]:
    """P4: variable genes of the cells at hand, normalised by themselves."""
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 1e4
    mean = rates.mean(axis=0)
    dispersion = rates.var(axis=0) / np.where(mean > 0, mean, 1)
    return set(np.argsort(-dispersion, kind="stable")[:n_top].tolist())


def split_inside_chunks(chunks: Iterable[Sequence[str]], seed: int) -> dict[str, str]:
    """P5: single cells of each chunk dealt at random."""
    rng = np.random.default_rng(seed)
    return {cell: "train" if rng.random() < 0.8 else "test" for chunk in chunks for cell in chunk}


def run_chunks(chunks: Iterable[str], work: Callable[[str], None]) -> int:
    """P6: a failing chunk is logged and skipped; the exit status."""
    for chunk in chunks:
        try:
            work(chunk)
        except OSError:
            logging.getLogger(__name__).info("Error in chunk %s", chunk)
    return 0


def fill_card(template: str, values: dict[str, str]) -> str:
    """P7: whatever has no value stays."""
    return Template(template).safe_substitute(values)


def push(folder: Path, rows: pd.DataFrame, card: str, look: Callable[[], None]) -> None:
    """P8: one commit for the data, another one for the card."""
    rows.to_parquet(folder / "rows.parquet")
    look()
    (folder / "README.md").write_text(card)
    look()


def to_counts(values: np.ndarray) -> np.ndarray | None:
    """P9: counts if nearly all values, zeros included, are whole; then truncated."""
    is_whole = np.isclose(values, np.rint(values))
    return values.astype(int) if is_whole.mean() >= 0.99 else None


def is_logged(values: np.ndarray) -> bool:
    """P10: guessed from the largest value."""
    return bool(values.max() < 50)


def write_in_place(path: Path, rows: np.ndarray, n_until_killed: int) -> None:
    """P14: the whole file first, then row after row, until killed."""
    stored = np.lib.format.open_memmap(path, mode="w+", dtype=rows.dtype, shape=rows.shape)
    stored[:n_until_killed] = rows[:n_until_killed]
    stored.flush()


def is_complete(path: Path, n_rows: int) -> bool:
    """P14: there, and as long as it should be."""
    return path.exists() and len(np.load(path, mmap_mode="r")) == n_rows


def find_chunks(folder: Path) -> list[Path]:
    """P18: whatever lies in the folder."""
    return sorted(folder.rglob("*.h5ad"))


def sentence(counts: np.ndarray, symbols: Sequence[str], length: int) -> str:
    """P20: one Python loop per cell and gene."""
    pairs = [(_value(count), symbol) for count, symbol in zip(counts, symbols, strict=True)]
    return " ".join(symbol for _, symbol in sorted(pairs, reverse=True)[:length])


def _value(count: float) -> float:
    return float(count)
