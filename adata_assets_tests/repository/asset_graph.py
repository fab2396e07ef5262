"""The asset graph of the demo as a short text; renew the committed one with

``python -m adata_assets_tests.repository.asset_graph > adata_assets_tests/repository/asset_graph.txt``
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

SNAPSHOT = Path(__file__).with_name("asset_graph.txt")
RENEW = (
    "python -m adata_assets_tests.repository.asset_graph > "
    + SNAPSHOT.relative_to(Path(__file__).parents[2]).as_posix()
)


def describe(defs: dg.Definitions) -> Iterator[str]:
    """Yield one block of lines per asset: key, group, partitions, inputs, checks; sorted."""
    graph = defs.resolve_asset_graph()
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        yield f"{key.to_user_string()}  group={node.group_name}  chunks={_chunks(node)}"
        yield from (f"  from {given.to_user_string()}" for given in sorted(node.parent_keys))
        yield from (f"  check {check.name}" for check in sorted(node.check_keys))


def _chunks(node: dg.AssetNode) -> str:
    if node.partitions_def is None:
        return "-"
    keys = node.partitions_def.get_partition_keys()
    return f"{keys[0]}..{keys[-1]}"


def snapshot() -> str:
    """Return the text for the shipped datasets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from adata_assets.definitions import defs

        return "\n".join(describe(defs())) + "\n"


if __name__ == "__main__":
    print(snapshot(), end="")
