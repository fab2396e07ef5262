"""What the card says about using the dataset: licences, how to cite it, checksums.

Belongs here: text from the spec and the written files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from adata_assets.hub.markdown import code_span, escape_markdown, table
from adata_assets.rows.parquet import ShardInfo
from adata_assets.spec import SourceSpec

if TYPE_CHECKING:
    import pandas as pd

_NOT_STATED = "not stated"
_CHECKSUMS = (
    "`manifest.json` holds the sha256 of every file, a hash of every column (which stays the same "
    "when a file is only stored differently), and name, size and sha256 of every linked file. "
    "`adata-assets verify {repo_id}` compares them with what is there."
)


def describe_licences(
    license: str | None, sources: Sequence[SourceSpec], ledger: pd.DataFrame
) -> str:
    """Return the licence of the dataset and that of every source, with its published cells.

    Parameters
    ----------
    license
        Of the published dataset; None when its settings state none.
    sources
        The raw files.
    ledger
        Columns ``source``, ``outcome`` and ``n_obs``.
    """
    published = ledger[ledger["outcome"] == "published"].groupby("source")["n_obs"].sum()
    rows = [
        [
            code_span(source.label),
            escape_markdown(source.license or _NOT_STATED),
            f"{int(published.get(source.label, 0)):,}",
        ]
        for source in sources
    ]
    whole = (
        f"The dataset is published under `{license.lower()}`."
        if license
        else "The dataset's settings state no licence: ask its owners before you use it."
    )
    text = f"{whole} What its sources state about themselves:"
    return f"{text}\n\n{table(['source', 'licence', 'published cells'], rows)}"


def describe_citation(title: str, repo_id: str) -> str:
    """Return how to cite the dataset; a card cannot know the tag that is made of its own bytes."""
    line = " ".join(escape_markdown(title).split())
    return (
        "Cite the works of the data and of the annotation, and the dataset with the tag of the "
        f"release that you used (`v-…`, listed beside the branches):\n\n"
        f"> {line}. Hugging Face dataset {code_span(repo_id)}, release `v-…`."
    )


def describe_checksums(shards: Mapping[str, Sequence[ShardInfo]], repo_id: str) -> str:
    """Return a table of the data files with rows and sha256, and where all others stand."""
    rows = [
        [code_span(shard.file_name), f"`{shard.sha256}`", f"{shard.n_rows:,}"]
        for found in shards.values()
        for shard in found
    ]
    text = _CHECKSUMS.format(repo_id=repo_id)
    return f"{table(['file', 'sha256', 'rows'], rows)}\n\n{text}"
