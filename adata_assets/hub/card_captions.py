"""What the card says about equal captions: how many there are, and what that does to a batch.

Belongs here: counting captions per split, and the example that masks false negatives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from adata_assets.hub.markdown import code_span, table
from adata_assets.spec import SPLITS

if TYPE_CHECKING:
    import pandas as pd

BATCH_SIZE = 64
_NO_TEXTS = "The rows have no texts, so there are no captions to compare."
_WHAT = (
    "Many cells say the same of themselves. Captions that state the same facts share a `caption_id`, "
    "however they are worded; it is a column of `obs` in the linked files. Training that takes the "
    "other texts of a batch as negatives (InfoNCE, `MultipleNegativesRankingLoss`) then pushes a cell "
    "away from texts that fit it. Expected in batches of {batch_size} cells, drawn at random:"
)
_HEADER = (
    "split",
    "different texts",
    "different `caption_id`",
    "in-batch negatives that fit the anchor",
    "anchors with at least one",
)
_MASK = """Such pairs are known, so they can be left out of the loss. With the file of the block above:

```python
import numpy as np

own = "adata_assets_caption_id"
name = own if own in adata.obs else "caption_id"
in_file = dataset["{split}"].filter(lambda row: row["share_link"] == share_link{only_own})
batch = in_file.shuffle(seed=0).select(range(min({batch_size}, len(in_file))))
caption_id = adata.obs.loc[list(batch["sample_idx"]), name].astype(str).to_numpy()

fits_too = caption_id[:, None] == caption_id[None, :]
np.fill_diagonal(fits_too, False)
scores = np.zeros(fits_too.shape)  # the similarities of the batch's cells and texts
scores[fits_too] = -np.inf  # before the softmax: these texts are no negatives
print(f"Masked {{fits_too.sum()}} of {{fits_too.size - len(batch)}} in-batch negatives")
```"""


@dataclass(frozen=True)
class CaptionCounts:
    """Captions of one split.

    Attributes
    ----------
    n_cells
        Cells with a caption.
    n_texts
        Different texts.
    n_ids
        Different ``caption_id``.
    fitting
        Expected share of in-batch negatives that carry the anchor's ``caption_id``, 0 to 1.
    touched
        Expected share of anchors with at least one of them in a batch of ``BATCH_SIZE``.
    """

    n_cells: int
    n_texts: int
    n_ids: int
    fitting: float
    touched: float


def count_captions(obs: pd.DataFrame) -> dict[str, CaptionCounts]:
    """Count the captions of every split.

    Parameters
    ----------
    obs
        Columns ``split``, ``caption`` and ``caption_id``, one row per published cell.
    """
    found = {}
    for split, own in obs.groupby("split", observed=True, sort=False):
        told = own.dropna(subset=["caption_id"])
        sizes = told["caption_id"].value_counts().to_numpy()
        sizes = sizes[sizes > 0]
        fitting, touched = expect_false_negatives(sizes, BATCH_SIZE)
        n_texts = int(told["caption"].nunique())
        found[str(split)] = CaptionCounts(len(told), n_texts, len(sizes), fitting, touched)
    return {split: found[split] for split in SPLITS if split in found}


def expect_false_negatives(sizes: np.ndarray, batch_size: int) -> tuple[float, float]:
    """Return what a batch drawn without replacement is expected to hold.

    Parameters
    ----------
    sizes
        Cells of each caption.
    batch_size
        Cells of a batch; all cells if there are fewer.

    Returns
    -------
    Share of ordered pairs of the batch with equal captions, and share of its cells with at least
    one other cell of the same caption.

    Examples
    --------
    >>> fitting, touched = expect_false_negatives(np.array([2, 2]), 2)
    >>> round(fitting, 3), round(touched, 3)
    (0.333, 0.333)
    """
    n = int(sizes.sum())
    if n < 2:
        return 0.0, 0.0
    n_others = min(batch_size, n) - 1
    weights = sizes / n
    fitting = float((weights * (sizes - 1)).sum() / (n - 1))
    # The chance that none of the others has the caption: a product of n_others fractions.
    drawn = np.arange(n_others)[:, None]
    none = np.prod(np.clip((n - sizes - drawn) / (n - 1 - drawn), 0, None), axis=0)
    return fitting, float(1 - (weights * none).sum())


def describe_captions(counts: Mapping[str, CaptionCounts], *, format: str, first_split: str) -> str:
    """Return the table of equal captions and the example that masks them; for rows with texts."""
    if format == "single" or not counts:
        return _NO_TEXTS
    rows: list[Sequence[str]] = [
        (
            code_span(split),
            f"{c.n_texts:,}",
            f"{c.n_ids:,}",
            f"{c.fitting:.1%}",
            f"{c.touched:.1%}",
        )
        for split, c in counts.items()
    ]
    only_own = ' and row["label"] == 1.0' if format == "pairs" else ""
    mask = _MASK.format(split=first_split, batch_size=BATCH_SIZE, only_own=only_own)
    return "\n\n".join([_WHAT.format(batch_size=BATCH_SIZE), table(_HEADER, rows), mask])
