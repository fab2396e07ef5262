"""What the card says about the embeddings' figures on held-out cells, and their pictures.

Belongs here: the scorecard as Markdown. Does not belong here: measuring, or judging.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from adata_assets.hub.markdown import code_span, escape_markdown, table

_HEADER = (
    "embedding",
    "cells of",
    "verdict",
    "macro-F1",
    "minus noise [95 %]",
    "minus pca [95 %]",
    "silhouette",
    "iLISI",
    "agreement with pca",
)
_NO_FIGURE = "–"
_HOW = (
    "Cell types of held-out cells are told by the 15 nearest train cells (cosine); macro-F1 is the "
    "mean F1 over cell types with at least 15 train and 5 held-out cells. It is compared with the "
    "mean of five random embeddings{pca}: 95 % intervals of 1,000 paired bootstrap draws, cells drawn "
    "within their type. Silhouette: by cell type, -1 to 1. iLISI: mixing of batches, 0 to 1. "
    "Agreement: share of the 15 nearest cells that pca has too. {labels}"
)
_VERDICTS = (
    "*passes*: better than noise; *fails*: not, on at least 100 cells of 3 types; *not assessable*: "
    "too few cells to tell; *exempt*: a control, or a model with random weights."
)


def describe_scorecard(scorecard: pd.DataFrame | None, facts: Mapping[str, Any]) -> str:
    """Return the table of figures, how they were measured, and every warning.

    Parameters
    ----------
    scorecard
        ``ScorecardSchema``; None for a dataset without embeddings.
    facts
        ``pca``, ``label_column`` and ``warnings`` of the scorecard.
    """
    if scorecard is None:
        return "The files hold no embeddings."
    pca = facts["pca"]
    how = _HOW.format(
        pca=f" and with {code_span(pca)}" if pca else "; there is no pca to compare with",
        labels=f"Cell types are those of the obs column {code_span(facts['label_column'])}."
        if facts["label_column"]
        else "Cell types are not named here.",
    )
    rows = [list(_cells_of(row)) for row in scorecard.itertuples()]
    parts = [table(_HEADER, rows), how, _VERDICTS, *_describe_cells(scorecard)]
    if facts["warnings"]:
        lines = (f"- {_one_line(warning)}" for warning in facts["warnings"])
        parts.append("\n".join(["**Warnings**", "", *lines]))
    return "\n\n".join(parts)


def link_pictures(figures: Mapping[str, str]) -> str:
    """Return a Markdown picture for each embedding, by its path in the published folder.

    Examples
    --------
    >>> link_pictures({"pca": "figures/pca.png"})
    '![pca: held-out cells on two components, by cell type and by batch](figures/pca.png)'
    """
    return "\n\n".join(f"![{_caption(name)}]({file})" for name, file in figures.items())


def embed_picture(path: Path, name: str) -> str:
    """Return a Markdown picture that holds its own bytes, for places without files."""
    coded = base64.b64encode(path.read_bytes()).decode()
    return f"![{_caption(name)}](data:image/png;base64,{coded})"


def _caption(name: str) -> str:
    return f"{name}: held-out cells on two components, by cell type and by batch"


def _cells_of(row: Any) -> Iterator[str]:
    yield code_span(row.embedder)
    yield row.split
    yield row.verdict
    yield _figure(row.macro_f1)
    for name in ("over_noise", "over_pca"):
        value, low, high = (getattr(row, f"{name}{end}") for end in ("", "_low", "_high"))
        is_known = not pd.isna(value)
        yield f"{value:+.3f} [{low:+.3f}, {high:+.3f}]" if is_known else _NO_FIGURE
    for value in (row.silhouette, row.ilisi, row.agreement_with_pca):
        yield _figure(value)


def _figure(value: float) -> str:
    return _NO_FIGURE if pd.isna(value) else f"{value:.3f}"


def _describe_cells(scorecard: pd.DataFrame) -> Iterator[str]:
    lines = []
    for row in scorecard.drop_duplicates("split").itertuples():
        told = f"- {row.split}: {row.n_evaluated:,} cells of {row.n_classes} cell types, told by "
        told += f"{row.n_train:,} train cells"
        if row.classes_left_out:
            told += f"; left out (train, held-out cells): {_one_line(row.classes_left_out)}"
        lines.append(told)
    yield "\n".join(lines)


def _one_line(text: str) -> str:
    return " ".join(escape_markdown(text).split())
