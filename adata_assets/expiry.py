"""Links that end: when, and whether they are to be made anew.

Belongs here: comparing ends with now. Making a link anew is the matter of its store.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from adata_assets.errors import InputError


def earliest_end(ends: Iterable[str | None]) -> str | None:
    """Return the first of some ISO times with zone; None stands for no end.

    Examples
    --------
    >>> earliest_end([None, "2026-05-02T00:00:00+00:00", "2026-05-01T23:00:00-04:00"])
    '2026-05-02T00:00:00+00:00'
    >>> earliest_end([None]) is None
    True
    """
    return min((end for end in ends if end is not None), key=datetime.fromisoformat, default=None)


def ends_within(end: str | None, seconds: float) -> bool:
    """Whether a link ends within so many seconds from now; one without an end never does."""
    if end is None:
        return False
    return datetime.fromisoformat(end) <= _now() + timedelta(seconds=seconds)


def require_time_left(name: str, end: datetime | None, refresh_before_s: int) -> None:
    """Refuse a new link that would have to be made anew at once.

    Raises
    ------
    InputError
        Naming both settings.
    """
    if end is not None and ends_within(end.isoformat(), refresh_before_s):
        raise InputError(
            f"{name}: a new link ends at {end.isoformat(timespec='seconds')}, within the "
            f"{refresh_before_s} s of share.refresh_before_s, so it would be made anew for ever: give "
            "links a longer life in the store's settings, or lower share.refresh_before_s"
        )


def _now() -> datetime:
    return datetime.now(UTC)
