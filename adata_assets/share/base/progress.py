"""How far a long upload is, in words: bytes, rate, time left.

Belongs here: when something is said, and how. Who hears it is said by the caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# A chunk that takes less is not worth a line.
EVERY_S = 10.0


class UploadProgress:
    """Says how far an upload is, at most every ten seconds; pass it as ``report`` of a store's put.

    Parameters
    ----------
    name
        Of the file.
    say
        Called with one line.
    clock
        Seconds, ever growing.

    Examples
    --------
    >>> times = iter([0.0, 10.0, 15.0])
    >>> progress = UploadProgress("a.h5ad", print, clock=lambda: next(times))
    >>> progress(50_000_000, 200_000_000)
    a.h5ad: 50.0 of 200.0 MB sent (5.0 MB/s, 30 s left)
    >>> progress(80_000_000, 200_000_000)
    """

    def __init__(
        self, name: str, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._say, self._clock = name, say, clock
        self._began = self._told = clock()

    def __call__(self, n_sent: int, n_bytes: int) -> None:
        """Hear that ``n_sent`` of ``n_bytes`` bytes are sent."""
        now = self._clock()
        if now - self._told < EVERY_S or not n_sent:
            return
        self._told = now
        rate = n_sent / (now - self._began)
        self._say(
            f"{self._name}: {n_sent / 1e6:,.1f} of {n_bytes / 1e6:,.1f} MB sent "
            f"({rate / 1e6:,.1f} MB/s, {(n_bytes - n_sent) / rate:,.0f} s left)"
        )
