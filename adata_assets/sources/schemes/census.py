"""``census://<version>/<organism>`` with a query: cells of the CELLxGENE Census.

Needs the extra ``census``. A version of the Census never changes, so nothing is asked of the
network before cells are fetched. ``ADATA_ASSETS_CENSUS_URI`` says where the Census lives when it is
not the public one.
"""

from __future__ import annotations

import importlib.util
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adata_assets.artefact import hash_of
from adata_assets.errors import InputError
from adata_assets.sources import contract
from adata_assets.sources.contract import Sighting, UnreachableError
from adata_assets.sources.files import sha256_of_source
from adata_assets.sources.raw import require_sha256
from adata_assets.spec import SourceSpec

if TYPE_CHECKING:
    import anndata as ad

CENSUS_URI = "ADATA_ASSETS_CENSUS_URI"
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")


class Source(contract.Source):
    """Cells of the Census that a query selects, with raw counts of all its genes.

    A cell's name is ``<dataset_id>:<observation_joinid>``: both stay with a cell from one version
    of the Census to the next, its ``soma_joinid`` does not.
    """

    takes_query = True

    def __init__(self, spec: SourceSpec, *, folder: Path | None) -> None:
        super().__init__(spec, folder=folder)
        self._version, _, self._organism = spec.uri.partition("://")[2].rstrip("/").partition("/")
        if not _VERSION.fullmatch(self._version):
            raise InputError(
                f"source {self.uri!r}: give the date of a version, as in census://2025-01-30/"
                f"homo_sapiens: {self._version!r} names other cells tomorrow"
            )
        if not re.fullmatch(r"[a-z]+(_[a-z]+)+", self._organism):
            raise InputError(
                f"source {self.uri!r}: the organism is {self._organism!r}; give it as the Census "
                "does: homo_sapiens or mus_musculus"
            )
        if spec.query is None or not spec.query.strip():
            raise InputError(
                f"source {self.uri!r}: the whole Census is too much; give a query, such as "
                "\"tissue_general == 'blood' and is_primary_data == True\""
            )
        self._query = spec.query

    def look(self, known: Mapping[str, Any] | None = None) -> Sighting:
        """Return version, organism and query, which say everything about the content."""
        _require_package(self.uri)
        version = f"{self._version} {self._organism} {hash_of(self._query)[:16]}"
        return Sighting(self.uri, version, None)

    def fetch(self, sighting: Sighting, *, folder: Path, scratch: Path) -> Path:
        """Write the cells as h5ad; an interrupted fetch begins anew."""
        adata = self._load()
        target = folder / f"{self.spec.label}.h5ad"
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            adata.write_h5ad(temporary, compression="gzip")
            require_sha256(self.uri, sha256_of_source(temporary), self.spec.sha256)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        return target

    def count_obs(self) -> int:
        """Return the number of cells that the query selects."""
        with self._opened() as experiment, _told(self.uri, self._query):
            found = experiment.obs.read(value_filter=self._query, column_names=["soma_joinid"])
            return sum(len(table) for table in found)

    def _load(self) -> ad.AnnData:
        with self._opened() as experiment, _told(self.uri, self._query):
            import tiledbsoma

            cells = tiledbsoma.AxisQuery(value_filter=self._query)
            with experiment.axis_query("RNA", obs_query=cells) as query:
                adata = query.to_anndata(X_name="raw")
        if adata.n_obs == 0:
            raise InputError(f"source {self.uri!r}: no cells for the query {self._query!r}")
        adata.obs.index = _cell_names(self.uri, adata)
        adata.var.index = adata.var["feature_id"].astype(str).to_numpy()
        del adata.obs["soma_joinid"], adata.var["soma_joinid"]
        return adata

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        _require_package(self.uri)
        import cellxgene_census
        import tiledbsoma

        place = os.environ.get(CENSUS_URI)
        where: dict[str, Any] = {"uri": place} if place else {"census_version": self._version}
        try:
            census = cellxgene_census.open_soma(**where)
        except (tiledbsoma.SOMAError, OSError, ValueError) as error:
            raise _kind_of(error)(
                f"source {self.uri!r}: the Census cannot be opened ({error}); look whether there "
                f"is a version {self._version}, and at the network"
            ) from error
        with census:
            organisms = census["census_data"]
            if self._organism not in organisms:
                raise InputError(
                    f"source {self.uri!r}: no organism {self._organism!r}; this Census has "
                    f"{sorted(organisms)}"
                )
            yield organisms[self._organism]


def _kind_of(error: Exception) -> type[InputError]:
    import tiledbsoma

    # An answer that is no JSON is a ValueError too, but may be another one later.
    if isinstance(error, OSError):
        return UnreachableError
    is_lasting = isinstance(error, tiledbsoma.DoesNotExistError | ValueError)
    return InputError if is_lasting else UnreachableError


def _require_package(uri: str) -> None:
    if importlib.util.find_spec("cellxgene_census") is None:
        raise InputError(
            f"source {uri!r} needs a package that is not installed: pip install "
            "'adata_assets[census]'"
        )


@contextmanager
def _told(uri: str, query: str) -> Iterator[None]:
    import tiledbsoma

    try:
        yield
    except (tiledbsoma.SOMAError, OSError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"source {uri!r}: the Census does not understand the query {query!r} ({error}); "
            "correct it"
        ) from error


def _cell_names(uri: str, adata: ad.AnnData) -> Any:
    if lacking := sorted({"dataset_id", "observation_joinid"} - set(adata.obs)):
        raise InputError(
            f"source {uri!r}: this version of the Census has no {' and no '.join(lacking)}, so its "
            "cells have no lasting names; take a version from 2024 on"
        )
    parts = (adata.obs[name].astype(str) for name in ("dataset_id", "observation_joinid"))
    names = next(parts) + ":" + next(parts)
    if names.duplicated().any():
        raise InputError(
            f"source {uri!r}: {int(names.duplicated().sum())} cells share a name, such as "
            f"{names[names.duplicated()].iloc[0]!r}; add is_primary_data == True to the query"
        )
    return names.to_numpy()
