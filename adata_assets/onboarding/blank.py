"""The YAML of a dataset whose file was not looked at: what is to be filled in.

Belongs here: placeholders that load as they are, so that other datasets of the project go on.
"""

from __future__ import annotations

from adata_assets.onboarding.proposal import Field, Proposal

PLACEHOLDER = "cells.h5ad"


def blank_proposal(dataset_id: str) -> Proposal:
    """Return a proposal that says what to fill in."""
    heading = (
        "Fill in source and keys, then run: adata-assets plan " + dataset_id,
        "adata-assets inspect <file> tells what a file holds; adata-assets new <id> --source <file> "
        "fills this in by itself. docs/dataset_yaml.md describes every field.",
    )
    return Proposal(heading, tuple(_FIELDS))


_FIELDS = (
    Field("title", "FILL IN: what these cells are", ("One line for people.",)),
    Field(
        "source",
        PLACEHOLDER,
        (
            "FILL IN: a path (a relative one begins at this folder), or an http(s)://, s3:// address.",
        ),
    ),
    Field(
        "keys",
        None,
        (
            "FILL IN: which obs column holds what. cell_type, assay and donor_id are found by "
            "themselves; no group stands in two splits.",
        ),
        "keys: {cell_type: cell_type, group: donor_id, batch: batch}",
    ),
    Field("chunks", {"count": 4}, ("Or {size: 10000}: most cells in one file.",)),
    Field(
        "splits",
        {"train": 0.8, "validation": 0.1, "test": 0.1},
        ("With fewer than three donors: other fractions, or split_by: cell.",),
    ),
    Field(
        "embedders",
        [{"name": "pca", "method": "pca", "n_dims": 50}],
        ("Embeddings of every chunk, fitted on train. Others: docs/plugins.md.",),
    ),
    Field(
        "format",
        "multiplets",
        ("single (cells alone), pairs or multiplets (with captions and negatives).",),
    ),
    Field("license", None, ("Needed to publish: SPDX id of the licence.",), "license: cc-by-4.0"),
)
