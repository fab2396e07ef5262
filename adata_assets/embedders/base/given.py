"""What a dataset's YAML gives to a method: a file of its own, genes by their names.

Belongs here: finding both, and saying what is wrong with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from adata_assets.commit import sha256_of
from adata_assets.embedders.base.cells import TrainStream
from adata_assets.errors import InputError
from adata_assets.sources.files import PACKAGE_SCHEME, locate_source

SHA256_PATTERN = "^[0-9a-f]{64}$"
_N_NAMED = 5


def find_given_file(uri: str, *, setting: str, sha256: str | None = None) -> Path:
    """Return the path of a file that an embedder's setting names.

    Parameters
    ----------
    uri
        A path, absolute or relative to the folder that the command or Dagster was started in, or
        ``package://<package>/<file>``.
    setting
        What errors call it.
    sha256
        What the file must have; None: anything.

    Raises
    ------
    InputError
        If there is no such file, or it is another one.
    """
    in_package = uri.startswith(PACKAGE_SCHEME)
    path = locate_source(uri) if in_package else Path(uri).expanduser().absolute()
    if not path.is_file():
        raise InputError(
            f"{setting} {uri!r}: no file at {path}; give an absolute path, or "
            f"{PACKAGE_SCHEME}<package>/<file>"
        )
    if sha256 is not None and (found := sha256_of(path)) != sha256:
        raise InputError(
            f"{setting} {uri!r}: {path} has sha256 {found}, the YAML states {sha256}: it is another "
            "file; give the right one, or correct sha256"
        )
    return path


def find_gene_ids(names: Sequence[str], train: TrainStream, *, setting: str) -> list[str]:
    """Return the id of each gene that is given by id or by symbol, in the same order.

    A symbol that several genes share is the one with most counts in the train cells, then the
    first id. A name that the dataset does not know stays as it is, and counts as missing.

    Raises
    ------
    InputError
        If two names are the same gene.
    """
    known, of_symbol = set(train.gene_ids), _ids_by_symbol(train)
    found = [name if name in known else of_symbol.get(name, name) for name in names]
    repeated = {gene for gene, n in Counter(found).items() if n > 1}
    if repeated:
        twice = [name for name, gene in sorted(zip(names, found, strict=True)) if gene in repeated]
        raise InputError(
            f"{setting}: {len(repeated)} genes are listed more than once, among them as "
            f"{', '.join(twice[:_N_NAMED])}; list each gene once"
        )
    return found


def count_known(gene_ids: Sequence[str], train: TrainStream) -> int:
    """Return how many of the genes the dataset has."""
    return int((train.gene_ids.get_indexer(pd.Index(gene_ids)) >= 0).sum())


def _ids_by_symbol(train: TrainStream) -> dict[str, str]:
    if train.symbols is None:
        return {}
    genes = train.gene_stats[["gene_id", "total_counts"]].assign(symbol=train.symbols)
    genes = genes.dropna(subset=["symbol"]).sort_values(
        ["total_counts", "gene_id"], ascending=[False, True]
    )
    first = genes.drop_duplicates("symbol")
    return dict(zip(first["symbol"], first["gene_id"], strict=True))
