"""The bar of ``materialize`` on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

from rich.console import Console

from adata_assets.cli.progress import Estimate, Progress
from adata_assets.runs import Outcome, Run

HEAD = Outcome(Run("cells", ("raw_h5ad", "counts")), (), 4.0)
CHUNK = Outcome(Run("cells", ("cell_texts",), "0001-of-0002"), (), 30.0)


def drawn(*outcomes, n_head=2, n_chunk=2):
    """Return what a terminal was sent."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100, color_system=None)
    with Progress("cells", n_jobs=1, console=console) as progress:
        progress.begin(n_head, n_chunk)
        for outcome in outcomes:
            progress.end(outcome)
    return written.getvalue()


def test_a_terminal_shows_how_far_it_is_and_what_is_left():
    text = drawn(HEAD, CHUNK)
    assert "cells" in text
    assert "3/4" in text
    assert "about 30 s left" in text


def test_nothing_to_do_shows_no_bar():
    assert drawn(n_head=0, n_chunk=0) == ""


def test_without_a_terminal_there_is_no_bar(capsys):
    with Progress("cells", n_jobs=1) as progress:
        progress.begin(2, 2)
        print("head: done")
        progress.end(HEAD)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("head: done\n", "")


def test_chunks_are_guessed_from_chunks():
    estimate = Estimate(n_jobs=2)
    estimate.expect(n_head=0, n_chunk=5)
    estimate.add(1, 10.0, of_chunk=True)
    assert estimate.seconds_left() == 20.0
    estimate.add(9, 10.0, of_chunk=True)
    assert estimate.seconds_left() == 0.0
