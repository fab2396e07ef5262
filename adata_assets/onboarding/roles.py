"""Which obs column looks like the cell type, the donor, the batch and so on.

Belongs here: names that people give such columns, and what their values must look like. It is a
guess that a person corrects; nothing is decided by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from adata_assets.onboarding.columns import ColumnLook

# Most certain first; each is matched against the whole name, in lower case with _ between words.
_PATTERNS: dict[str, tuple[str, ...]] = {
    "cell_type": (
        "cell_type",
        "celltypes?|cell_types?",
        "(author|final|manual|original|predicted|ann|annotated|inferred)_cell_?types?(_.*)?",
        "cell_?type(_.*)?",
        ".*_cell_?types?",
        "cell_ontology_class|cell_annotations?|free_annotations?|annotations?|majority_voting",
        "(bulk_|cell_|cluster_|author_)?labels?",
        "cell_(class|identity|subtype|state)|cluster_(name|annotation)",
    ),
    "donor": (
        "donor_id",
        "donors?|donor_(name|number|uuid)",
        "(patient|subject|participant|individual|person|mouse|animal)(_?ids?|_name|_number)?",
    ),
    "sample": (
        "sample_ids?",
        "samples?|sample_name|orig_ident|specimen(_id)?|biosample(_id)?",
    ),
    "batch": (
        "batch",
        "batch(es)?|batch_?(id|key|name)",
        "library(_id|_uuid|_name)?|lane|channel|plate|sequencing_(run|batch)|run(_id)?|chip|gem_well",
    ),
    "tissue": ("tissue", "tissues?|tissue_(general|name|origin)|organs?|anatomical_(site|region)"),
    "disease": (
        "disease",
        "diseases?|disease_(state|status|name)|diagnosis|condition|health_status",
    ),
    "sex": ("sex", "gender|donor_(sex|gender)|patient_sex|biological_sex"),
    "assay": (
        "assay",
        "assays?|assay_name|technology|platform|chemistry|10x_chemistry|library_prep(aration)?",
        "protocol|sequencing_(technology|platform)|seq_tech|method",
    ),
    "organism": ("organism", "organisms?|species"),
}
ROLES = tuple(_PATTERNS)
# Ids may be numbers; a number is no word for the others.
_MAY_BE_NUMBERS = ("donor", "sample", "batch")
_NUMBER = re.compile(r"[-+.\d]+")


def find_roles(columns: Sequence[ColumnLook]) -> dict[str, str | None]:
    """Return the column that looks most like each role, None where none does.

    Examples
    --------
    >>> labels = ColumnLook("bulkLabels", "category", 2, 0, (("B", 5), ("T", 4)))
    >>> patients = ColumnLook("patient", "integer", 3, 0)
    >>> found = find_roles([labels, patients])
    >>> found["cell_type"], found["donor"], found["batch"]
    ('bulkLabels', 'patient', None)
    """
    return {role: _find(role, columns) for role in ROLES}


def _find(role: str, columns: Sequence[ColumnLook]) -> str | None:
    fitting = [column for column in columns if _fits(role, column)]
    for pattern in _PATTERNS[role]:
        for column in fitting:
            if re.fullmatch(pattern, _plain(column.name)):
                return column.name
    return None


def _plain(name: str) -> str:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\W_]+", "_", apart).strip("_").lower()


def _fits(role: str, column: ColumnLook) -> bool:
    if column.kind == "empty" or column.identifier:
        return False
    if column.kind in ("number", "yes/no"):
        return False
    if column.kind == "integer":
        return role in _MAY_BE_NUMBERS
    # Numbers of clusters are no names of cell types.
    numbered = all(_NUMBER.fullmatch(value) for value, _ in column.levels)
    return role in _MAY_BE_NUMBERS or not numbered
