"""What the suite does to itself so that tests leave each other alone."""

from __future__ import annotations

import logging.config
import sys

import click
from click.testing import CliRunner


@click.command()
def configure() -> None:
    """Configure logging as Dagster does in every run."""
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})


def test_configuring_logging_inside_a_command_leaves_the_captured_streams_open():
    import absl.logging  # noqa: F401

    streams = sys.stdout, sys.stderr
    assert CliRunner().invoke(configure).exit_code == 0
    assert not any(stream.closed for stream in streams)
