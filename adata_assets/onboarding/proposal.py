"""The YAML that a look into a file suggests: which fields, with which words beside them.

Belongs here: one choice per field with its reason. How it is written is in ``yaml_text``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adata_assets.onboarding.look import FileLook
from adata_assets.onboarding.rehearsal import Rehearsal, rehearse

CHUNK_SIZE = 10_000
_MIN_GENES, _N_DIMS = 200, 50
# Facts of captions other than cell type and assay are read from columns of these names only.
_FACT_ROLES = ("tissue", "disease", "sex")


@dataclass(frozen=True)
class Field:
    """One field of the YAML.

    Attributes
    ----------
    value
        What it holds; a mapping becomes a block. None: the field is only shown, as a comment.
    comments
        Lines above it.
    example
        What is shown, as YAML, where ``value`` is None.
    """

    name: str
    value: Any = None
    comments: tuple[str, ...] = ()
    example: str = ""


@dataclass(frozen=True)
class Proposal:
    """A YAML to be written.

    Attributes
    ----------
    heading
        Lines at the top.
    fields
        In the order of the YAML.
    """

    heading: tuple[str, ...]
    fields: tuple[Field, ...]

    @property
    def attributes(self) -> dict[str, Any]:
        """What the YAML says, comments left out."""
        return {field.name: field.value for field in self.fields if field.value is not None}


def propose(look: FileLook, *, source: str) -> Proposal:
    """Propose the YAML of a dataset of one file.

    Parameters
    ----------
    source
        The address that the YAML gives.
    """
    group = _group_column(look)
    plan = rehearse(look.obs, cell_type=look.roles["cell_type"], group=group)
    fields = [
        Field(
            "title",
            f"Cells of {look.path.name}",
            ("One line for people: say what these cells are.",),
        ),
        Field("source", source, (f"{look.n_obs:,} cells × {look.n_vars:,} features.",)),
        *_species(look),
        *_keys(look, plan),
        *_counts(look),
        *_quality(look),
        Field("chunks", {"size": CHUNK_SIZE}, ("Most cells in one file.",)),
        _splits(look, plan),
        *_embedders(look, plan),
        Field("format", plan.format, _format_comments(look, plan)),
        *_privacy(look),
        *_to_fill_in(),
    ]
    return Proposal(tuple(_heading(look)), tuple(fields))


def _group_column(look: FileLook) -> str | None:
    for role in ("donor", "sample"):
        column = look.column(role)
        # As many values as cells are ids of cells; cells without a group are left out.
        if column and 2 * max(column.n_distinct, column.n_missing) <= look.n_obs:
            return column.name
    return None


def _heading(look: FileLook) -> Iterator[str]:
    yield f"Proposed from a look into {look.path.name}: correct what is wrong; docs/dataset_yaml.md"
    yield "describes every field."
    for problem in look.problems:
        yield f"MEND FIRST: {problem}"


def _species(look: FileLook) -> Iterator[Field]:
    genes = look.genes
    if genes is None:
        return
    found = f"{genes.n_mapped:,} of {genes.n_features:,} features have an Ensembl id"
    if genes.species == "other":
        said = "Neither human nor mouse by names: genes keep their names; if they are, say so."
        yield Field("species", None, (said,), "species: human")
        return
    yield Field("species", genes.species, (f"By {genes.species_by}; {found}.",))


def _keys(look: FileLook, plan: Rehearsal) -> Iterator[Field]:
    keys: dict[str, str] = {}
    comments = []
    chosen = {
        "cell_type": look.roles["cell_type"],
        "group": plan.group,
        "batch": look.roles["batch"],
    }
    if look.roles["assay"] != "assay":
        chosen["instrument"] = look.roles["assay"]
    for key, name in chosen.items():
        if name is not None:
            keys[key] = name
            comments.append(f"{key}: {_say_column(look, name)}")
    if look.counts.totals:
        keys["totals"] = look.counts.totals
        comments.append("totals: the counts come back exactly with these totals")
    for role in _FACT_ROLES:
        name = look.roles[role]
        if name not in (None, role):
            comments.append(
                f"{name} looks like {role}: rename it to {role} and captions can say it"
            )
    if keys or comments:
        told = ("Which obs column holds what.", *comments)
        yield Field("keys", keys or None, told, "" if keys else "keys: {}")


def _say_column(look: FileLook, name: str) -> str:
    column = next(column for column in look.columns if column.name == name)
    missing = f", {column.n_missing:,} cells without" if column.n_missing else ""
    levels = ", ".join(value for value, _ in column.levels[:3])
    more = ", …" if column.n_distinct > 3 and levels else ""
    return f"{column.n_distinct:,} values{missing}{': ' if levels else ''}{levels}{more}"


def _counts(look: FileLook) -> Iterator[Field]:
    place = look.counts.place
    if place is None:
        words = "No raw counts were found; name their slot when the file has them."
        yield Field("counts", None, (words,), "counts: {slot: layers/counts}")
    elif look.counts.allow_expected:
        words = f"Expected counts in {place.slot}: they are no whole numbers and are rounded."
        yield Field("counts", {"allow_expected": True}, (words,))
    else:
        words = f"Found in {look.say_counts()}; every value is verified by the build."
        yield Field("counts", None, (words,), f"counts: {{slot: {place.slot}}}")


def _quality(look: FileLook) -> Iterator[Field]:
    high = look.counts.n_genes_high
    if look.counts.place is None or look.counts.totals or high >= _MIN_GENES:
        words = f"Fixed rules; fewest genes {_MIN_GENES}, most mitochondrial counts 20 %."
        yield Field("qc", None, (words,), f"qc: {{min_genes: {_MIN_GENES}, max_pct_mt: 20}}")
        return
    words = f"Hardly any cell looked at has {_MIN_GENES} genes, which is the usual least number."
    yield Field("qc", {"min_genes": high // 4}, (words,))


def _splits(look: FileLook, plan: Rehearsal) -> Field:
    sizes = ", ".join(f"{name} {n:,}" for name, n in plan.sizes.items())
    comments = [f"Before quality rules: {sizes} cells.", *plan.of_splits]
    if plan.group and plan.group != look.roles["donor"]:
        comments.append(
            f"No column looks like a donor: {plan.group} is dealt whole, and samples of one donor can "
            "stand in two splits."
        )
    batch = look.column("batch")
    if plan.group is None and batch and batch.n_distinct >= 2:
        comments.append(
            f"If each of the {batch.n_distinct:,} values of {batch.name} is a donor of its own, give "
            f"keys.group: {batch.name} and leave split_by out."
        )
    how = {} if plan.group else {"split_by": "cell"}
    return Field("splits", {**plan.fractions, **how}, tuple(comments))


def _embedders(look: FileLook, plan: Rehearsal) -> Iterator[Field]:
    # Quality rules, the gene mask and genes without variance leave fewer cells and genes.
    n_dims = min(_N_DIMS, plan.sizes["train"] // 4, look.n_vars // 4)
    if n_dims >= 2:
        pca = {"name": "pca", "method": "pca", "n_dims": n_dims}
        words = "Embeddings of every chunk, fitted on train. Others: docs/plugins.md."
        yield Field("embedders", [pca], (words,))


def _format_comments(look: FileLook, plan: Rehearsal) -> tuple[str, ...]:
    if plan.of_format:
        return plan.of_format
    cell_type = look.column("cell_type")
    missing = cell_type.n_missing if cell_type else 0
    words = "single (cells alone), pairs or multiplets (with captions and negatives)."
    if not missing:
        return (words,)
    return (words, f"{missing:,} cells without a cell type stand in single only.")


def _privacy(look: FileLook) -> Iterator[Field]:
    found = [column for column in look.columns if column.identifier]
    if found:
        reasons = tuple(f"{column.name}: {column.identifier}" for column in found)
        words = "These look like direct identifiers of people and stay on this machine."
        names = list(dict.fromkeys(column.name for column in found))
        yield Field("drop_obs", names, (words, *reasons))


def _to_fill_in() -> Iterator[Field]:
    yield Field(
        "license", None, ("Needed to publish: SPDX id of the licence.",), "license: cc-by-4.0"
    )
    words = "Where the cells come from; the card says it."
    yield Field("data_sources", None, (words,), "data_sources: GEO …, …")
    words = "A release on the Hub; without it nothing leaves this machine but shared chunk files."
    yield Field("publish", None, (words,), "publish: {repo_id: owner/name}")
