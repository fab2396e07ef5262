"""Asking a store again when that is worth it; the same for every store.

Belongs here: how often and how long. What is worth it is said by a `TransientError`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential

from adata_assets.share.contract import ShareError, TransientError

N_TRIES = 6
# A server that asks for more has to be tried again by a later run.
LONGEST_WAIT_S = 60.0
FIRST_WAIT_S = 0.5
# Statuses that the same request may not get again.
TRANSIENT_STATUSES = frozenset({408, 423, 425, 429, 500, 502, 503, 504})
_T = TypeVar("_T")


def with_retries(ask: Callable[[], _T]) -> _T:
    """Return the answer; ask again after a pause when it was a `TransientError`.

    Pauses double from half a second, with jitter, or are as long as the server asks for.

    Raises
    ------
    ShareError
        The last error when six tries in a row failed, or the first that is not worth another.
    """
    asking = Retrying(
        stop=stop_after_attempt(N_TRIES),
        wait=_wait_s,
        retry=retry_if_exception_type(TransientError),
        sleep=lambda seconds: _sleep(seconds),
        reraise=True,
    )
    try:
        return asking(ask)
    except TransientError as error:
        raise ShareError(f"{error} ({N_TRIES} tries in a row)") from error


def read_retry_after(value: str | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header: a number, or the time until a date.

    Examples
    --------
    >>> read_retry_after("2"), read_retry_after(None), read_retry_after("soon")
    (2.0, None, None)
    """
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _wait_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after_s", None)
    if asked is not None:
        return float(min(asked, LONGEST_WAIT_S))
    growing = wait_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)
    return growing(state) + random.uniform(0, FIRST_WAIT_S)


def _sleep(seconds: float) -> None:
    time.sleep(seconds)
