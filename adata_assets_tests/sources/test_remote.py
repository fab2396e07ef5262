"""P14: what servers and networks do while a file is fetched never yields half a file or a mixture."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from adata_assets.assets.retries import is_passing
from adata_assets.errors import InputError
from adata_assets.sources.contract import (
    SourceChangedError,
    UncountableError,
    UnreachableError,
)
from adata_assets_tests.sources.conftest import left_in
from adata_assets_tests.sources.places import PLACES, Place

FETCH = """
import sys
from pathlib import Path
from adata_assets.sources.opening import open_source
from adata_assets.spec import SourceSpec
source = open_source(SourceSpec(uri=sys.argv[1]), None)
source.fetch(source.look(), folder=Path(sys.argv[2]), scratch=Path(sys.argv[3]))
"""


@pytest.fixture(params=["http", "s3"])
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    contents: tuple[bytes, bytes],
) -> Iterator[Place]:
    """A server of each kind with the first content."""
    with PLACES[request.param](tmp_path, monkeypatch) as found:
        found.put(contents[0])
        yield found


@pytest.fixture
def web(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: tuple[bytes, bytes]
) -> Iterator[Place]:
    """A web server with the first content."""
    with PLACES["http"](tmp_path, monkeypatch) as found:
        found.put(contents[0])
        yield found


def test_a_cut_connection_is_gone_on_with(place, contents, folders):
    source = place.source()
    seen = source.look()
    place.served.cuts = [1000, 50_000, 0, None]
    assert source.fetch(seen, **folders).read_bytes() == contents[0]
    assert place.ranges[-3:] == ["bytes=1000-", "bytes=51000-", "bytes=51000-"]
    assert left_in(folders) == ["cells.h5ad"]


def test_a_fetch_that_was_given_up_goes_on_later(place, contents, folders):
    source = place.source()
    seen = source.look()
    place.served.cuts = [1000, *([0] * 5)]
    with pytest.raises(UnreachableError, match="only 1000 of .* bytes .*5 times in a row"):
        source.fetch(seen, **folders)
    assert list(folders["folder"].iterdir()) == []
    place.served.cuts = []
    assert source.fetch(seen, **folders).read_bytes() == contents[0]
    assert place.ranges[-1] == "bytes=1000-"


def test_a_killed_fetch_leaves_no_file_and_goes_on(place, contents, folders):
    """P14: killed with half of the bytes there."""
    half = len(contents[0]) // 2
    place.served.cuts, place.served.stall = [half], threading.Event()
    command = [sys.executable, "-c", FETCH, place.uri, *map(str, folders.values())]
    with subprocess.Popen(command) as process:
        _wait_for_part(process, folders["scratch"])
        os.kill(process.pid, signal.SIGKILL)
    place.served.stall.set()
    place.served.cuts = []
    assert list(folders["folder"].iterdir()) == []
    source = place.source()
    assert source.fetch(source.look(), **folders).read_bytes() == contents[0]
    start = int(place.ranges[-1].removeprefix("bytes=").rstrip("-"))
    assert 0 < start <= half


def _wait_for_part(process, scratch):
    while process.poll() is None:
        if any(path.stat().st_size > 0 for path in scratch.rglob("*.part")):
            return
        time.sleep(0.01)
    pytest.fail("the fetch ended before it was killed")


def test_parts_of_two_versions_are_never_glued(place, contents, folders):
    """The file changes, with its length kept, after the first part."""
    source = place.source()
    seen = source.look()
    place.served.cuts = [1000]
    answers = iter([lambda: None, lambda: place.put(contents[1])])
    place.served.before = lambda file: next(answers, lambda: None)()
    with pytest.raises(SourceChangedError, match="changed while it was read"):
        source.fetch(seen, **folders)
    assert list(folders["folder"].iterdir()) == []
    assert source.fetch(source.look(), **folders).read_bytes() == contents[1]


def test_content_that_is_not_the_stated_one_leaves_nothing_behind(place, folders):
    source = place.source(sha256="0" * 64)
    with pytest.raises(InputError, match="the YAML states 0000") as caught:
        source.fetch(source.look(), **folders)
    assert left_in(folders) == []
    assert not is_passing(caught.value)


def test_a_server_in_trouble_is_asked_again(place, contents, folders):
    source = place.source()
    place.served.statuses = [503, 0, 500, 429]
    assert source.fetch(source.look(), **folders).read_bytes() == contents[0]


def test_a_server_that_stays_in_trouble_is_told(place):
    place.served.statuses = [503] * 3
    with pytest.raises(
        UnreachableError, match=r"cells\.h5ad cannot be reached \(status 503.*3 times"
    ):
        place.source().look()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416])
def test_a_refusal_is_final(place, status):
    """What a person must mend stays so however often it is asked for."""
    place.served.statuses = [status]
    with pytest.raises(InputError, match=rf"cells\.h5ad.* answers with status {status}") as caught:
        place.source().look()
    assert len(place.server.asked) == 1 and not is_passing(caught.value)


def test_a_server_that_is_away_is_told(place, monkeypatch):
    uri, _, port = place.server.url.rpartition(":")
    gone = Place(place.uri.replace(f"{uri}:{port}", f"{uri}:9"), place.put)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"{uri}:9")
    with pytest.raises(UnreachableError, match=r"cells\.h5ad cannot be reached"):
        gone.source().look()


def test_a_wrong_length_is_never_a_whole_file(place, folders, contents):
    place.served.announced = len(contents[0]) + 100
    source = place.source()
    with pytest.raises(InputError, match="gave only|shorter than announced"):
        source.fetch(source.look(), **folders)
    assert list(folders["folder"].iterdir()) == []


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08", b"PK\x03\x04", b"cell,gene"])
def test_other_files_are_told_apart(place, start):
    place.put(start + bytes(100))
    with pytest.raises(InputError, match="unpack it first|something that begins with b'cell,gen'"):
        place.source().look()


@pytest.mark.parametrize("content", [b"", b"\x89HDF"])
def test_an_empty_file_is_told(place, content):
    place.put(content)
    with pytest.raises(InputError, match=r"cells\.h5ad.*correct source in the YAML"):
        place.source().look()


def test_a_header_that_is_no_anndata_is_told(place):
    place.put(b"\x89HDF\r\n\x1a\n" + bytes(3000))
    with pytest.raises(InputError, match="cannot read the number of cells"):
        place.source().count_obs()


def test_counting_asks_for_little(place, contents):
    """Ranges only, and none of them twice."""
    place.source().count_obs()
    asked = place.ranges[1:]
    assert all(asked) and len(set(asked)) == len(asked)
    assert place.server.n_bytes_sent <= len(contents[0]) + 8


def test_counting_tells_when_the_server_goes_away(place):
    place.served.statuses = [0, *([500] * 3)]
    with pytest.raises(UnreachableError, match="status 500"):
        place.source().count_obs()


def test_a_server_without_ranges_begins_again(web, contents, folders):
    web.served.has_ranges = False
    source = web.source()
    seen = source.look()
    web.served.cuts = [1000, 2000, None]
    assert source.fetch(seen, **folders).read_bytes() == contents[0]
    assert web.ranges[-3:] == [None, None, None]
    with pytest.raises(UncountableError, match="give chunks.count instead"):
        source.count_obs()


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_etag_nothing_is_glued(web, contents, folders, etag):
    web.served.etag, web.served.modified = etag, 1e9
    source = web.source()
    seen = source.look()
    web.served.cuts = [1000, None]
    assert source.fetch(seen, **folders).read_bytes() == contents[0]
    assert web.ranges[-2:] == [None, None]


def test_without_an_etag_time_and_length_are_the_version(web, contents):
    web.served.etag, web.served.modified = None, 1e9
    first = web.source().look()
    assert first.version == f"Sun, 09 Sep 2001 01:46:40 GMT, {len(contents[0])} bytes"
    web.served.modified = 1e9 + 1
    assert web.source().look().version != first.version


def test_of_a_server_that_tells_nothing_the_content_is_the_version(web, contents, folders):
    web.put(contents[0])
    web.served.etag = None
    source = web.source()
    first = source.look()
    assert source.fetch(first, **folders).read_bytes() == contents[0]
    web.served.content = contents[1]
    assert source.look().version != first.version
    with pytest.raises(SourceChangedError, match="changed while it was read"):
        source.fetch(first, **folders)
    pinned = web.source(sha256="ab" * 32)
    assert pinned.look().version == "ab" * 32


def test_two_that_want_the_same_take_turns(place, contents, tmp_path, folders):
    places = [folders["folder"], tmp_path / "other"]
    places[1].mkdir()
    source = place.source()
    seen = source.look()
    place.served.cuts = [1000, 2000, 3000, None]
    with ThreadPoolExecutor(2) as pool:
        fetch = partial(source.fetch, seen, scratch=folders["scratch"])
        paths = list(pool.map(lambda folder: fetch(folder=folder), places))
    assert [path.read_bytes() for path in paths] == [contents[0]] * 2
    assert list(folders["scratch"].rglob("*.part")) == []


def test_a_file_is_moved_to_another_disk(place, contents, folders, monkeypatch):
    replace = os.replace

    def on_one_disk(source, target):
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(os, "replace", on_one_disk)
    source = place.source()
    assert source.fetch(source.look(), **folders).read_bytes() == contents[0]
    assert left_in(folders) == ["cells.h5ad"]


def test_parts_that_nobody_wants_any_more_are_removed(place, folders):
    source = place.source()
    seen = source.look()
    place.served.cuts = [1000, *([0] * 5)]
    with pytest.raises(UnreachableError):
        source.fetch(seen, **folders)
    (part,) = folders["scratch"].rglob("*.part")
    os.utime(part, (0, 0))
    other = place.source(name="other")
    place.put(place.served.content + b"more")
    other.fetch(other.look(), **folders)
    assert not part.exists()
