"""``serve`` and ``home``: the local share store over HTTP, and where everything lives."""

from __future__ import annotations

from pathlib import Path

import click

from adata_assets.cli.output import tell_errors


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(1, 65535))
@tell_errors
def serve(host: str, port: int) -> None:
    """Serve the files of the local share store, so that links of the datasets work.

    \b
    Examples:
      adata-assets serve
      adata-assets serve --port 9000   # with ADATA_ASSETS_BASE_URL=http://127.0.0.1:9000
    """
    from adata_assets.instance import prepare_home
    from adata_assets.share.serve import serve as serve_files
    from adata_assets.storage import Storage

    root = Storage.from_environment(prepare_home()).root
    click.echo(f"serving the shared files of {root} at http://{host}:{port} (stop with Ctrl-C)")
    serve_files(Path(root.path), host=host, port=port)


@click.command()
@tell_errors
def home() -> None:
    """Print the Dagster home that the command and the UI share; make it if there is none.

    \b
    Example:
      DAGSTER_HOME=$(adata-assets home) dagster dev -w workspace.yaml
    """
    from adata_assets.instance import prepare_home

    click.echo(prepare_home())
