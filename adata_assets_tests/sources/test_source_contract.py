"""The promises of a source. Every scheme inherits them: the names come from the folder.

The Census is another matter: its versions never change, and its bytes are made here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from adata_assets.errors import InputError
from adata_assets.matrix.safe import require_safe_h5ad
from adata_assets.sources.contract import SourceChangedError
from adata_assets.sources.opening import scheme_names
from adata_assets_tests.sources.conftest import left_in
from adata_assets_tests.sources.places import PLACES, Place

SCHEMES = [name for name in scheme_names() if name != "census"]


@pytest.fixture(params=SCHEMES)
def place(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    contents: tuple[bytes, bytes],
) -> Iterator[Place]:
    """Each scheme in turn with the first content; one without a place is an error here."""
    with PLACES[request.param](tmp_path_factory.mktemp("place"), monkeypatch) as found:
        found.put(contents[0])
        yield found


def test_a_look_is_stable_and_knows_the_size(place: Place, contents: tuple[bytes, bytes]) -> None:
    seen = place.source().look()
    assert place.source().look(seen.details) == seen
    assert seen.n_bytes == len(contents[0])


def test_other_content_is_another_version(place: Place, contents: tuple[bytes, bytes]) -> None:
    versions = []
    for content in (contents[0], contents[1], contents[0]):
        place.put(content)
        versions.append(place.source().look().version)
    assert versions[0] == versions[2] != versions[1]


def test_a_fetch_gives_the_bytes_and_leaves_nothing_else(
    place: Place, contents: tuple[bytes, bytes], folders: dict[str, Path]
) -> None:
    source = place.source()
    path = source.fetch(source.look(), **folders)
    assert path.read_bytes() == contents[0]
    assert left_in(folders) == (["cells.h5ad"] if place.server else [])


def test_cells_are_counted_from_the_header(place: Place) -> None:
    assert place.source().count_obs() == 12


def test_the_stated_content_is_taken(
    place: Place, contents: tuple[bytes, bytes], folders: dict[str, Path]
) -> None:
    source = place.source(sha256=hashlib.sha256(contents[0]).hexdigest())
    assert source.fetch(source.look(), **folders).read_bytes() == contents[0]


def test_content_that_changed_since_the_look_is_refused(
    place: Place, contents: tuple[bytes, bytes], folders: dict[str, Path]
) -> None:
    source = place.source()
    seen = source.look()
    place.put(contents[1])
    with pytest.raises(SourceChangedError, match="changed"):
        source.fetch(seen, **folders)
    assert list(folders["folder"].iterdir()) == []
    assert source.fetch(source.look(), **folders).read_bytes() == contents[1]


def test_a_page_instead_of_the_file_is_refused(place: Place, folders: dict[str, Path]) -> None:
    """P16: status 200 says nothing about the content."""
    place.put(b"<!DOCTYPE html><html><body>Please log in</body></html>")
    source = place.source()
    with pytest.raises(InputError, match="HTML page|is not HDF5"):
        require_safe_h5ad(source.fetch(source.look(), **folders))
    assert left_in(folders) == []


def test_a_file_that_is_not_there_is_told(place: Place) -> None:
    source = type(place)(place.uri.replace("cells.h5ad", "gone.h5ad"), place.put).source()
    with pytest.raises(InputError, match=r"gone\.h5ad.*correct .*source in the YAML"):
        source.look()


def test_a_query_is_only_for_the_census(place: Place) -> None:
    with pytest.raises(InputError, match="a query selects cells of the Census only"):
        place.source(query="cell_type == 'B cell'")
