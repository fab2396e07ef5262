"""What is expected of sources before they are fetched is never less than what they hold."""

from __future__ import annotations

import pytest

from adata_assets.sources.opening import open_sources
from adata_assets.sources.sizes import count_raw_obs, measure_sources
from adata_assets.spec import DatasetSpec
from adata_assets_tests.sources.places import PLACES


def spec_of(*sources, **fields):
    return DatasetSpec(
        dataset_id="cells", title="Cells", source=sources, chunks={"count": 3}, **fields
    )


@pytest.fixture
def place(tmp_path, monkeypatch, contents):
    """A file on a web server, and the same beside it."""
    (tmp_path / "raw.h5ad").write_bytes(contents[0])
    with PLACES["http"](tmp_path, monkeypatch) as found:
        found.put(contents[0])
        yield found


def test_files_are_added_up(place, tmp_path, contents):
    spec = spec_of("raw.h5ad", place.uri)
    sources = open_sources(spec, tmp_path)
    assert count_raw_obs(spec, sources) == 24
    exact = measure_sources(open_sources(spec_of("raw.h5ad"), tmp_path), None)
    both = measure_sources(sources, None)
    assert (exact.n_obs, exact.n_vars, exact.n_bytes_to_fetch) == (12, 2000, 0)
    assert both.n_obs == 24 and both.n_nonzeros >= 2 * exact.n_nonzeros
    assert both.n_bytes_to_fetch == len(contents[0]) and both.n_vars >= 2000


def test_a_subset_caps_the_cells(tmp_path, place):
    spec = spec_of("raw.h5ad", subset={"n_obs": 5})
    assert count_raw_obs(spec, open_sources(spec, tmp_path)) == 5


def test_a_server_without_ranges_does_not_stop_the_forecast(place, tmp_path, contents):
    place.served.has_ranges = False
    found = measure_sources(open_sources(spec_of(place.uri), tmp_path), None)
    assert found.n_obs >= 12 and found.n_bytes_to_fetch == len(contents[0])
