"""Rows of the published dataset: one schema per format."""

from __future__ import annotations

from collections.abc import Sequence

import pandera.pandas as pa

# Columns of each format; sentences and negatives, of which there can be several, left out.
FORMATS_OF_ROWS = {
    "single": ("sample_idx", "share_link", "adata_link"),
    "pairs": ("sample_idx", "caption", "label", "share_link", "adata_link"),
    "multiplets": ("sample_idx", "positive", "share_link", "adata_link"),
}
_LINKS = {
    "share_link": "link to the h5ad file that holds the cell",
    "adata_link": "link to the zarr zip that holds the same cells",
}


def row_schema(
    format: str,
    *,
    sentence_keys: Sequence[str],
    negatives_per_sample: int,
    evaluator_columns: bool = False,
    negatives_as_text: bool = False,
) -> pa.DataFrameSchema:
    """Return the schema of the rows of one format.

    Parameters
    ----------
    format
        ``single``, ``pairs`` or ``multiplets``.
    sentence_keys
        Names of the cell sentence columns, in order.
    negatives_per_sample
        Slots of a multiplet.
    evaluator_columns
        Whether pairs repeat genes and caption as ``sentence_1`` and ``sentence_2``.
    negatives_as_text
        Whether multiplets hold texts of the drawn cells instead of their ids.

    Examples
    --------
    >>> list(row_schema("single", sentence_keys=["cell_sentence_1"], negatives_per_sample=0).columns)
    ['sample_idx', 'cell_sentence_1', 'share_link', 'adata_link']
    """
    texts = {"sample_idx": "obs name of the cell in the linked files"}
    texts |= dict.fromkeys(sentence_keys, "cell sentence")
    texts["cell_sentence_1"] = "the sample id, by which its embedding is looked up"
    if format == "pairs":
        texts["caption"] = "a caption of this cell (label 1) or of another one (label 0)"
        if evaluator_columns:
            texts |= {"sentence_1": "the genes of the cell", "sentence_2": "the caption"}
    if format == "multiplets":
        texts["positive"] = "the caption of the cell"
        texts |= {
            f"negative_{i + 1}{'' if negatives_as_text else '_idx'}": _slot(i, negatives_as_text)
            for i in range(negatives_per_sample)
        }
    columns = {name: _column(str, text) for name, text in texts.items()}
    if format == "pairs":
        columns["label"] = pa.Column(
            float, pa.Check.isin([0.0, 1.0]), description="whether the caption is the cell's own"
        )
    columns |= {name: _column(str, text) for name, text in _LINKS.items()}
    return pa.DataFrameSchema(columns, strict=True, ordered=True, name=format)


def _slot(i: int, is_text: bool) -> str:
    if is_text:
        what = "caption" if i % 2 == 0 else "cell sentence"
        return f"{what} of a cell of the same split whose facts contradict the caption"
    kind = "its caption" if i % 2 == 0 else "its cell sentence"
    return f"sample_idx of a cell of the same split whose facts contradict the caption; {kind} is meant"


def _column(dtype: type, description: str) -> pa.Column:
    return pa.Column(
        dtype, pa.Check.str_length(min_value=1), nullable=False, description=description
    )
