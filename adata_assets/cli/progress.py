"""The bar of ``materialize``: what is done, and about how long the rest takes.

Belongs here: a terminal's stderr. Lines that are printed meanwhile appear above the bar; where there
is no terminal there is no bar.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.console import Console

    from adata_assets.runs import Outcome


class Estimate:
    """How long the rest takes, from what the same kind of work took so far.

    Chunks are alike; what has no partitions is not, so its time per asset is a rough guess.

    Parameters
    ----------
    n_jobs
        Chunks that run at the same time.

    Examples
    --------
    >>> estimate = Estimate(n_jobs=2)
    >>> estimate.expect(n_head=3, n_chunk=40)
    >>> estimate.seconds_left() is None
    True
    >>> estimate.add(2, 10.0, of_chunk=False)
    >>> estimate.add(4, 2.0, of_chunk=True)
    >>> estimate.seconds_left()
    14.0
    """

    def __init__(self, *, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._left = {False: 0, True: 0}
        self._done = {False: 0, True: 0}
        self._seconds = {False: 0.0, True: 0.0}

    def expect(self, *, n_head: int, n_chunk: int) -> None:
        """Say how many assets and partitions will run."""
        self._left = {False: n_head, True: n_chunk}

    def add(self, n_nodes: int, seconds: float, *, of_chunk: bool) -> None:
        """Say how long some took."""
        self._left[of_chunk] = max(0, self._left[of_chunk] - n_nodes)
        self._done[of_chunk] += n_nodes
        self._seconds[of_chunk] += seconds

    def seconds_left(self) -> float | None:
        """Return a guess in seconds, None before anything was done."""
        n_done = sum(self._done.values())
        if not n_done:
            return None
        mean = sum(self._seconds.values()) / n_done
        total = 0.0
        for of_chunk, n_left in self._left.items():
            done = self._done[of_chunk]
            each = self._seconds[of_chunk] / done if done else mean
            total += n_left * each / (self._n_jobs if of_chunk else 1)
        return total


class Progress:
    """A context manager around one ``materialize``.

    Parameters
    ----------
    title
        What the bar stands for.
    n_jobs
        Chunks that run at the same time.
    console
        Of the terminal; by default stderr, if it is one.
    """

    def __init__(
        self,
        title: str,
        *,
        n_jobs: int,
        console: Console | None = None,
    ) -> None:
        self._title = title
        self._estimate = Estimate(n_jobs=n_jobs)
        self._bar: Any = None
        self._task: Any = None
        if console is not None or sys.stderr.isatty():
            self._bar = self._build(console)

    def _build(self, console: Console | None) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        return Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console or Console(stderr=True),
            # What is piped away must not land on the terminal.
            redirect_stdout=sys.stdout.isatty(),
            transient=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, n_head: int, n_chunk: int) -> None:
        """Show the bar: so many assets without and with partitions will run."""
        self._estimate.expect(n_head=n_head, n_chunk=n_chunk)
        if self._bar is not None and n_head + n_chunk:
            self._task = self._bar.add_task(self._title, total=n_head + n_chunk, left="")
            self._bar.start()

    def end(self, outcome: Outcome) -> None:
        """Move the bar by what a run did."""
        run = outcome.run
        self._estimate.add(len(run.stages), outcome.seconds, of_chunk=run.partition_key is not None)
        if self._bar is not None and self._task is not None:
            left = say_left(self._estimate.seconds_left())
            self._bar.update(self._task, advance=len(run.stages), left=left)


def say_left(seconds: float | None) -> str:
    """Say about how long it takes.

    Examples
    --------
    >>> say_left(None), say_left(4.2), say_left(95), say_left(7300)
    ('', 'a few seconds left', 'about 2 min left', 'about 2.0 h left')
    """
    if seconds is None:
        return ""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s left"
    return (
        f"about {seconds / 60:.0f} min left"
        if seconds < 5400
        else f"about {seconds / 3600:.1f} h left"
    )
