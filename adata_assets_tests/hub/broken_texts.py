"""For each rule about card, croissant and manifest a release that breaks it and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from adata_assets.hub.manifest import MANIFEST
from adata_assets_tests.hub.tiny_release import (
    Change,
    change_card,
    change_croissant,
    change_manifest,
)


def change_front(**fields: Any) -> Change:
    """Return a step that sets fields of the front matter; None removes one."""

    def step(path: Path) -> None:
        _, front, body = (path / "README.md").read_text().split("---\n", 2)
        told = {**yaml.safe_load(front), **fields}
        told = {name: value for name, value in told.items() if value is not None}
        text = f"---\n{yaml.safe_dump(told, sort_keys=False)}---\n{body}"
        (path / "README.md").write_text(text)

    return step


def change_info(change: Change) -> Change:
    """Return a step that changes ``dataset_info`` of the front matter."""

    def step(path: Path) -> None:
        told = yaml.safe_load((path / "README.md").read_text().split("---\n")[1])["dataset_info"]
        change(told)
        change_front(dataset_info=told)(path)

    return step


def _configs(*entries: dict[str, Any], name: str = "default") -> list[dict[str, Any]]:
    return [{"config_name": name, "data_files": list(entries)}]


def _write(name: str, content: bytes) -> Change:
    def step(path: Path) -> None:
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(content)

    return step


def _append(name: str, content: bytes) -> Change:
    return lambda path: _write(name, (path / name).read_bytes() + content)(path)


def _drop(key: str) -> Change:
    return lambda told: told.pop(key)


def _remove(name: str) -> Change:
    return lambda path: (path / name).unlink()


def _in_table(table: str, key: str, value: Any) -> Change:
    return change_manifest(lambda told: told["tables"][table].update({key: value}))


TRAIN = {"split": "train", "path": "data/train-*"}
TEST = {"split": "test", "path": "data/test-*"}

FRONT_MATTER: dict[str, dict[str, Any]] = {
    "card-is-there": {"texts": _remove("README.md")},
    "front-matter-is-yaml": {"texts": change_card("---\nlanguage:", "---\n}language:")},
    "language-is-code": {"texts": change_front(language=["en"])},
    "task-category-is-there": {"texts": change_front(task_categories=None)},
    "pretty-name-is-there": {"texts": change_front(pretty_name=" ")},
    "tags-are-there": {"texts": change_front(tags=["omics", "anndata", "multimodal"])},
    "license-is-known": {
        "texts": change_front(license="free"),
        "also": {"croissant-license-agrees"},
    },
    "size-category-fits": {"texts": change_front(size_categories=["1M<n<10M"])},
    "configs-are-there": {"texts": change_front(configs=_configs(TRAIN, TEST, name="rows"))},
    "config-names-fit": {
        "texts": change_front(configs=[*_configs(TRAIN, TEST), *_configs(TRAIN, name="a/b")])
    },
    "config-patterns-match": {
        "texts": change_front(configs=_configs(TRAIN, TEST, {"split": "test", "path": "x/*"}))
    },
    "data-is-in-configs": {"texts": change_front(configs=_configs(TRAIN))},
    "split-names-are-known": {
        "texts": change_front(configs=_configs(TRAIN, {**TEST, "split": "exam"}))
    },
    "features-agree": {"texts": change_info(lambda i: i["features"][0].update(dtype="int64"))},
    "row-counts-agree": {"texts": change_info(lambda i: i["splits"][0].update(num_examples=5))},
    "download-size-agrees": {"texts": change_info(lambda i: i.update(download_size=1))},
}
CARD: dict[str, dict[str, Any]] = {
    "card-is-small": {"limits": {"plain_git_bytes": 200}},
    "card-is-utf8": {"texts": _append("README.md", b"\n\xff\n")},
    "card-is-filled": {"texts": change_card("## Splits\n", "## Splits\n\n$cs_length genes\n")},
    "card-has-sections": {"texts": change_card("## Limits\n", "## Borders\n")},
    "card-has-a-title": {"texts": change_card("# Six cells\n", "Six cells\n")},
    "card-describes-columns": {"texts": change_card("- `positive`:", "- `caption`:")},
    "card-tells-the-format": {"texts": change_card("**multiplets** format", "format")},
    "card-tells-sentence-length": {"texts": change_card("length of 3 genes", "length of 2 genes")},
    "card-shows-a-published-row": {"texts": change_card('sample_idx: "a1"', 'sample_idx: "a9"')},
    "card-links-a-published-file": {
        "texts": change_card("An example file: https://cells", "An example file: https://others")
    },
    "card-loads-its-own-id": {"texts": change_card('dataset("lab/cells")', 'dataset("lab/x")')},
    "card-code-compiles": {"texts": change_card("import requests\n", "import requests as\n")},
    "card-names-a-split-that-is-there": {"texts": change_card('["train"][0]', '["exam"][0]')},
    "card-has-no-local-path": {
        "texts": change_card("# Six cells\n", "# Six cells\n\n/home/me/a\n")
    },
    "card-has-no-html": {"texts": change_card("# Six cells\n", "# Six cells\n\n<script>x\n")},
    "card-pictures-are-there": {
        "texts": change_card("# Six cells\n", "# Six cells\n\n![umap](figures/umap.png)\n")
    },
    "card-counts-agree": {"texts": change_card("| `train` | 3 | 4 |", "| `train` | 3 | 5 |")},
    "card-ledger-adds-up": {
        "texts": change_card("| raw | published | train | 4 |", "| raw | published | train | 3 |")
    },
    "card-checksums-agree": {
        "texts": lambda p: change_card(
            (p / "README.md").read_text().split("00001.parquet` | `")[1][:8], "0" * 8
        )(p)
    },
    "card-cites-works": {"texts": change_card("10.1186/s13059-017-1382-0", "10.1186/other")},
}
CROISSANT: dict[str, dict[str, Any]] = {
    "croissant-is-there": {"texts": _write("croissant.json", b"[]")},
    "croissant-conforms": {"texts": change_croissant(lambda t: t.update(conformsTo="1.0"))},
    "croissant-has-a-name": {"texts": change_croissant(lambda t: t.update(name=""))},
    "croissant-is-responsible": {"texts": change_croissant(_drop("rai:dataBiases"))},
    "croissant-license-agrees": {"texts": change_croissant(_drop("license"))},
    "croissant-files-agree": {"texts": change_croissant(lambda t: t["distribution"].pop(0))},
    "croissant-records-agree": {
        "texts": change_croissant(lambda t: t["recordSet"][0]["field"].pop())
    },
    "croissant-holds-no-time": {
        "texts": change_croissant(lambda t: t.update(datePublished="2026-01-01"))
    },
}
MANIFESTS: dict[str, dict[str, Any]] = {
    "manifest-is-there": {"end": _remove(MANIFEST)},
    "manifest-version-is-known": {"end": change_manifest(lambda t: t.update(manifest_version=9))},
    "manifest-is-complete": {"end": change_manifest(_drop("packages"))},
    "manifest-names-every-file": {"end": _write("figures/hvg.png", b"\x89PNG\r\n\x1a\npixels")},
    "manifest-hashes-agree": {"end": _append("README.md", b"\n")},
    "manifest-tables-agree": {"end": _in_table("data/test", "n_rows", 3)},
    "manifest-holds-no-time": {
        "end": change_manifest(lambda t: t.update(made_at="2026-01-01T10:00:00"))
    },
    "manifest-holds-no-place": {"end": change_manifest(lambda t: t.update(made_in="/home/me/"))},
    "manifest-counts-negatives": {
        "end": change_manifest(lambda t: t["negatives"]["counts"]["data/train"].update(hard=1))
    },
    "manifest-names-its-generation": {
        "end": change_manifest(lambda t: t["generation"].update(counts="newest"))
    },
    "not-retracted": {
        "end": change_manifest(lambda t: t.update(retracted=[{"reason": "wrong labels"}]))
    },
}
TEXTS = {**FRONT_MATTER, **CARD, **CROISSANT, **MANIFESTS}
