"""Where the cells come from, and the works to cite (S5).

Belongs here: text for sources and references. The sources come from the dataset's YAML; of the
methods only those are cited that were used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from adata_assets.hub.markdown import escape_markdown
from adata_assets.spec import Citation

_PACKAGES = (
    Citation(
        role="method",
        text="anndata: Virshup I, Rybakov S, Theis FJ, Angerer P, Wolf FA. anndata: Annotated "
        "data. bioRxiv 2021.12.16.473007 (2021).",
        doi="10.1101/2021.12.16.473007",
    ),
    Citation(
        role="method",
        text="scanpy: Wolf FA, Angerer P, Theis FJ. SCANPY: large-scale single-cell gene "
        "expression data analysis. Genome Biology 19, 15 (2018).",
        doi="10.1186/s13059-017-1382-0",
    ),
)
_METHODS = {
    "scvi": Citation(
        role="method",
        text="scVI: Lopez R, Regier J, Cole MB, Jordan MI, Yosef N. Deep generative modeling for "
        "single-cell transcriptomics. Nature Methods 15, 1053-1058 (2018).",
        doi="10.1038/s41592-018-0229-2",
    ),
    "geneformer": Citation(
        role="method",
        text="Geneformer: Theodoris CV, Xiao L, Chopra A, et al. Transfer learning enables "
        "predictions in network biology. Nature 618, 616-624 (2023).",
        doi="10.1038/s41586-023-06139-9",
    ),
}
_HEADINGS = {"data": "**Data**", "annotation": "**Annotation**"}


def describe_source(data_sources: str) -> str:
    """Return the provenance text of the dataset's YAML, escaped; says so when there is none."""
    return escape_markdown(data_sources) or "The dataset's settings state no data sources."


def cite_sources(citations: Sequence[Citation]) -> str:
    """Return the works of the data and of the annotation, each under its heading.

    Examples
    --------
    >>> print(cite_sources([Citation(role="data", text="A 2020", doi="10.1/x")]))
    **Data**
    <BLANKLINE>
    - A 2020 [10.1/x](https://doi.org/10.1/x)
    """
    parts = [
        f"{heading}\n\n{_list_works(works)}"
        for role, heading in _HEADINGS.items()
        if (works := [work for work in citations if work.role == role])
    ]
    return "\n\n".join(parts) or "The dataset's settings name no works to cite."


def cite_methods(methods: Iterable[str], citations: Sequence[Citation] = ()) -> str:
    """Return the works of the methods that were used, and always anndata and scanpy.

    Parameters
    ----------
    methods
        Methods of the embedders (``scvi``, ``geneformer``, …); those without a work add nothing.
    citations
        Works of the dataset's YAML; those with the role ``method`` are listed too.
    """
    used = set(methods)
    works = [work for method, work in _METHODS.items() if method in used]
    return _list_works([*works, *(w for w in citations if w.role == "method"), *_PACKAGES])


def _list_works(works: Iterable[Citation]) -> str:
    return "\n".join(f"- {_show_work(work)}" for work in works)


def _show_work(work: Citation) -> str:
    text = " ".join(escape_markdown(work.text).split())
    if work.doi is None:
        return text
    return f"{text} [{escape_markdown(work.doi)}](https://doi.org/{quote(work.doi, safe='/.:;')})"
