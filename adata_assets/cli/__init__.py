"""``adata-assets``: the command. Each subcommand gets, calls, prints.

Belongs here: the group and its help. Each module below holds a few subcommands and imports what
they need only when they are called: ``raw_files`` (inspect, new), ``building`` (plan, materialize,
gc), ``states`` (status), ``serving`` (serve, home), ``releases`` (lint, verify, retract).
"""

from __future__ import annotations

import click

from adata_assets.cli.building import gc, materialize, plan
from adata_assets.cli.output import EXIT_FAILED, EXIT_INPUT
from adata_assets.cli.raw_files import inspect, new
from adata_assets.cli.releases import lint, retract, verify
from adata_assets.cli.serving import home, serve
from adata_assets.cli.states import status

__all__ = ["EXIT_FAILED", "EXIT_INPUT", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Raw single-cell h5ad files in, published Hugging Face datasets out.

    \b
    Examples:
      adata-assets inspect cells.h5ad
      adata-assets new mine --source cells.h5ad
      adata-assets plan mine
      adata-assets materialize mine --jobs 2
      adata-assets status
      adata-assets serve
      adata-assets verify lab/mine --level sample

    \b
    Exit status of every subcommand:
      0  done
      1  something failed, or there are findings: they are named
      2  the input cannot be used or read
    """


for _command in (inspect, new, plan, materialize, status, gc, serve, home, lint, verify, retract):
    main.add_command(_command)
