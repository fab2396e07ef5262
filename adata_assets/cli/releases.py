"""Commands about published releases: ``lint``, ``verify``, ``retract``.

Exit status: 0 fine, 1 findings, 2 it cannot be read or the input cannot be used.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from adata_assets.cli.output import EXIT_FAILED, json_option, tell_errors, tell_json, tell_lines
from adata_assets.errors import InputError

if TYPE_CHECKING:
    from adata_assets.hub.lint import Finding

LEVELS = ("head", "sample", "full")


@click.command()
@click.argument("place", required=False)
@click.option("--revision", help="Tag, branch or commit of a repository.")
@json_option
@click.option("--rules", is_flag=True, help="List the rules; PLACE is not looked at.")
@tell_errors
def lint(place: str | None, revision: str | None, as_json: bool, rules: bool) -> None:
    """Hold a published folder, or owner/name on the Hub, against every rule.

    \b
    Examples:
      adata-assets lint .dagster/adata_assets/pbmc68k/hf_splits
      adata-assets lint lab/pbmc68k --revision v-1 --json
      adata-assets lint --rules
    """
    from adata_assets.hub.lint import PublishedFolder, find_rules, lint_folder
    from adata_assets.hub.place import open_place

    known = find_rules()
    if rules:
        sentences = {name: rule.sentence for name, rule in known.items()}
        if as_json:
            tell_json({"rules": sentences})
        else:
            tell_lines(f"{name}: {sentence}" for name, sentence in sentences.items())
        return
    if place is None:
        raise InputError("name a folder, or owner/name on the Hub")
    with open_place(place, revision) as folder:
        findings = lint_folder(PublishedFolder(folder))
    _report(place, findings, as_json=as_json, looked_at={"n_rules": len(known)})


@click.command()
@click.argument("place")
@click.option("--revision", help="Tag, branch or commit of a repository.")
@click.option("--level", type=click.Choice(LEVELS), default="head", show_default=True)
@click.option("--sample", "n_sampled", type=click.IntRange(1), default=4, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the sample.")
@json_option
@tell_errors
def verify(
    place: str, revision: str | None, level: Any, n_sampled: int, seed: int, as_json: bool
) -> None:
    """Ask whether files, links and what they lead to are still as the manifest promises.

    \b
    head    every file is there, every link answers
    sample  some linked files are read whole, and their cells compared with the rows
    full    all of them, and every rule of lint

    \b
    Examples:
      adata-assets verify lab/pbmc68k
      adata-assets verify lab/pbmc68k --level full --json
    """
    from adata_assets.hub.place import open_place
    from adata_assets.hub.verify import verify_folder

    with open_place(place, revision) as folder:
        findings, n_links = verify_folder(folder, level=level, n_sampled=n_sampled, seed=seed)
    _report(place, findings, as_json=as_json, looked_at={"level": level, "n_links": n_links})


@click.command()
@click.argument("repo_id")
@click.option("--reason", required=True, help="Why; readers see it.")
@json_option
@tell_errors
def retract(repo_id: str, reason: str, as_json: bool) -> None:
    """Replace a release on the Hub by a notice with the reason; tags stay.

    \b
    Example:
      adata-assets retract lab/pbmc68k --reason "labels of donor 3 were wrong"
    """
    from adata_assets.hub.retract import retract_release

    commit = retract_release(repo_id, reason)
    if as_json:
        tell_json({"repo_id": repo_id, "commit": commit})
        return
    click.echo(f"{repo_id} is retracted at {commit}; its tags stay")


def _report(
    place: str, findings: list[Finding], *, as_json: bool, looked_at: dict[str, Any]
) -> None:
    if as_json:
        told = {"place": place, **looked_at, "findings": [asdict(found) for found in findings]}
        tell_json(told)
    else:
        tell_lines(f"{found.rule_id}: {found.text}" for found in findings)
        words = ", ".join(f"{name} {value}" for name, value in looked_at.items())
        click.echo(f"{place}: {len(findings)} findings ({words})")
    if findings:
        sys.exit(EXIT_FAILED)
