"""What a stranger wants to know first, and what the names of rules mean.

Belongs here: the lines under the title, and words for the rules of the ledger.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from adata_assets.hub.card_captions import CaptionCounts
from adata_assets.hub.markdown import code_span, escape_markdown
from adata_assets.hub.open_links import is_open_link

if TYPE_CHECKING:
    import pandas as pd

_RULES = {
    "no_counts": "no count at all",
    "no_sentence_gene": "no count of a gene that a cell sentence may name",
    "is_primary_data": "the source says that it is a copy of a cell of another dataset",
    "min_counts": "fewer counts than the settings ask for",
    "min_genes": "fewer genes with a count than the settings ask for",
    "max_pct_mt": "a larger share of mitochondrial counts than the settings allow",
    "max_pct_top20": "a larger share of counts in 20 genes than the settings allow",
    "mad_n_counts": "unlike the train cells in its number of counts",
    "mad_n_genes": "unlike the train cells in its number of genes",
    "mad_pct_mt": "unlike the train cells in its mitochondrial share",
    "duplicate_of": "the same counts as another cell, which stays",
    "max_cells_per_label": "more train cells of its cell type than the settings ask for",
    "subset": "not drawn into the sample that the settings ask for",
    "no_group": "its group is not known, so that it could be in any split",
    "no_caption": "the source does not know enough of it for a text",
    "split_conflict": "it would join groups that are locked to different splits",
    "no_valid_negative": "no other cell of its split contradicts its text",
}
_N_VALUES = 5
_QUARANTINED = (
    "Quarantined cells lack something that can be supplied; removed ones do not come back."
)


def describe_overview(
    split_sizes: Mapping[str, int],
    captions: Mapping[str, CaptionCounts],
    example_link: str,
    *,
    n_files: int,
) -> str:
    """Return how much there is, and whether the links lead anywhere.

    Parameters
    ----------
    split_sizes
        Cells of each split.
    captions
        Of each split; empty for rows without texts.
    example_link
        One of the links.
    n_files
        Files that the links lead to, of each kind.
    """
    cells = ", ".join(f"{n:,} {split}" for split, n in split_sizes.items())
    n_statements = max((c.n_ids for c in captions.values()), default=0)
    texts = f", texts with up to {n_statements:,} different statements" if n_statements else ""
    files = "file" if n_files == 1 else "files"
    told = f"**At a glance**: {sum(split_sizes.values()):,} cells ({cells}){texts}; {n_files:,} {files} of counts and embeddings behind the links."
    if is_open_link(example_link):
        return told
    return (
        f"{told}\n\nThe links lead to the machine that made the dataset: `adata-assets serve` serves "
        "them there. Nobody else can open them."
    )


def describe_known(known_facts: pd.Series) -> str:
    """Return what is known of the published cells, the most frequent values of each field.

    Parameters
    ----------
    known_facts
        JSON objects, field to value, one per published cell.

    Examples
    --------
    >>> import pandas as pd
    >>> print(describe_known(pd.Series(['{"tissue": "lung"}', '{"tissue": "lung"}', "{}"])))
    **Known of the cells**:
    <BLANKLINE>
    - tissue: lung (2)
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for facts, n in known_facts.value_counts().items():
        for field, value in json.loads(str(facts)).items():
            counts[field][str(value)] += n
    if not counts:
        return "Nothing is known of the cells but their counts."
    lines = [f"- {field.replace('_', ' ')}: {_most(counts[field])}" for field in sorted(counts)]
    return "\n".join(["**Known of the cells**:", "", *lines])


def _most(counts: Counter[str]) -> str:
    # Sorted by name where they are as frequent: the order of the rows decides nothing.
    values = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{escape_markdown(value)} ({n:,})" for value, n in values[:_N_VALUES])
    more = len(values) - _N_VALUES
    return f"{shown} and {more:,} more" if more > 0 else shown


def explain_rules(ledger: pd.DataFrame) -> str:
    """Return what each rule means by which cells were left out; empty if none was.

    Parameters
    ----------
    ledger
        Columns ``outcome`` and ``rule``.
    """
    left_out = ledger[ledger["outcome"].isin(["removed", "quarantined"])]
    rules = [rule for rule in _RULES if rule in set(left_out["rule"])]
    lines = [f"- {code_span(rule)}: {_RULES[rule]}" for rule in rules]
    if "quarantined" in set(left_out["outcome"]):
        lines += ["", _QUARANTINED]
    return "\n".join(lines)
