"""What a process of its own does against a Hub; run as ``python -m … <verb> <JSON arguments>``.

The Hub's client reads its address, its cache and its switches when it is imported, so publishing
and loading are tried in a process that was started with them. Prints one line of JSON at the end.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adata_assets.commit import sha256_of


def files_of(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file of a folder by its path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in found}


def publish(folder: str, **options: Any) -> dict[str, Any]:
    """Publish a folder; an error is an answer too."""
    from adata_assets.hub.publish import publish_folder

    try:
        return asdict(publish_folder(Path(folder), files_of(Path(folder)), **options))
    except (ValueError, RuntimeError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def materialize(root: str, repo_id: str, base_url: str) -> dict[str, Any]:
    """Bring a dataset with ``publish`` up to date three times: as it is, again, and forced."""
    from adata_assets_tests.datasets import Dataset, make_spec, write_cells

    spec = make_spec(
        write_cells(Path(root)),
        publish={"repo_id": repo_id},
        license="CC-BY-4.0",
        share={"store": "local", "base_url": base_url},
    )
    dataset = Dataset.make(spec, Path(root))
    ran = [dataset.materialize(), dataset.materialize()]
    ran.append(dataset.materialize(forced={"hf_release"}))
    return {
        "errors": [error for outcomes in ran for outcome in outcomes for error in outcome.errors],
        "stages": [[stage for outcome in o for stage in outcome.run.stages] for o in ran],
        "published": str(dataset.published),
        "release": dict(dataset.load("hf_release").files),
        "n_rows": dataset.load("hf_splits").metadata["n_rows"],
        "row_count": _row_count(dataset),
        "breaches": _breaches(dataset),
    }


def _row_count(dataset: Any) -> int:
    """Return the number of rows that the UI shows of the release."""
    key = dataset.graph.key_of("hf_release")
    [record] = dataset.instance.fetch_materializations(key, limit=1).records
    return record.asset_materialization.metadata["dagster/row_count"].value


def _breaches(dataset: Any) -> list[list[str]]:
    """What the check finds, before and after another hash is written into the record."""
    from adata_assets.hub.publish import find_release_breaches

    release, published = dataset.load("hf_release"), dataset.load("hf_splits")
    found = [find_release_breaches(release, published)[0]]
    record = release.local("release.json")
    told = json.loads(record.read_text())
    told["downloaded"]["README.md"] = hashlib.sha256(b"other").hexdigest()
    record.write_text(json.dumps(told))
    return [*found, find_release_breaches(release, published)[0]]


def load(path: str) -> dict[str, Any]:
    """Load a dataset without a config name: the rows and features of every split."""
    from datasets import load_dataset

    loaded = load_dataset(path)
    return {
        split: {"features": str(rows.features), "rows": rows.to_list()}
        for split, rows in loaded.items()
    }


def load_all(path: str) -> dict[str, Any]:
    """Load every config, downloaded and streamed: rows of each split, and where the two differ."""
    from datasets import get_dataset_config_names, load_dataset

    told: dict[str, Any] = {}
    for config in get_dataset_config_names(path):
        whole = load_dataset(path, config)
        streamed = load_dataset(path, config, streaming=True)
        told[config] = {
            split: {"n_rows": len(rows), "streams": list(streamed[split]) == rows.to_list()}
            for split, rows in whole.items()
        }
    return told


def publish_as_before(folder: str, repo_id: str) -> dict[str, Any]:
    """P8: the data with its generated metadata first, the README over it afterwards."""
    from datasets import load_dataset
    from huggingface_hub import HfApi

    load_dataset(folder).push_to_hub(repo_id)
    HfApi().upload_file(
        path_or_fileobj=b"# A title\n\nWords from a template.\n",
        path_in_repo="README.md",
        repo_id=repo_id,
        repo_type="dataset",
    )
    return {}


if __name__ == "__main__":
    answer = globals()[sys.argv[1]](**json.loads(sys.argv[2]))
    print(json.dumps(answer))
