"""How often and how long a store is asked again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from adata_assets.share.base.retry import LONGEST_WAIT_S, N_TRIES, read_retry_after, with_retries
from adata_assets.share.contract import DamagedError, ShareError, TransientError


def failing(n_times: int, **hint: float) -> Callable[[], int]:
    """Return a question that is answered after so many transient errors, with their number."""
    asked = []

    def ask() -> int:
        asked.append(1)
        if len(asked) <= n_times:
            raise TransientError("busy", **hint)
        return len(asked)

    return ask


def test_what_passes_is_asked_again(pauses: list[float]) -> None:
    assert with_retries(failing(N_TRIES - 1)) == N_TRIES
    assert len(pauses) == N_TRIES - 1
    assert 0.5 <= pauses[0] <= 1.0
    assert all(later > earlier for earlier, later in itertools.pairwise(pauses))


def test_it_is_given_up_in_the_end(pauses: list[float]) -> None:
    with pytest.raises(ShareError, match=f"busy \\({N_TRIES} tries in a row\\)") as caught:
        with_retries(failing(N_TRIES))
    assert not isinstance(caught.value, TransientError)


def test_a_server_says_how_long_to_wait_within_reason(pauses: list[float]) -> None:
    with_retries(failing(1, retry_after_s=7.0))
    with_retries(failing(1, retry_after_s=86_400.0))
    assert pauses == [7.0, LONGEST_WAIT_S]


@pytest.mark.parametrize("error", [DamagedError, ShareError, ValueError])
def test_what_does_not_pass_is_not_asked_again(error: type[Exception], pauses: list[float]) -> None:
    def ask() -> None:
        raise error("no")

    with pytest.raises(error):
        with_retries(ask)
    assert pauses == []


def test_a_date_says_how_long_too() -> None:
    later = read_retry_after(
        format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    )
    assert later is not None
    assert 25 < later <= 30
    assert read_retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0
