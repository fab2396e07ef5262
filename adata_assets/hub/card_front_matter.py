"""The YAML at the top of a card, which the Hub and `datasets` read (S1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from adata_assets.errors import InputError
from adata_assets.hub.card import CardFrontMatter
from adata_assets.hub.configs import ConfigFiles

REQUIRED_TAGS = ("multimodal", "omics", "sentence-transformers", "anndata")
# The Hub knows these words only; each holds up to ten times the rows of the one before.
_SIZES = (
    "n<1K",
    "1K<n<10K",
    "10K<n<100K",
    "100K<n<1M",
    "1M<n<10M",
    "10M<n<100M",
    "100M<n<1B",
    "1B<n<10B",
    "10B<n<100B",
    "100B<n<1T",
    "n>1T",
)


def front_matter(
    *,
    pretty_name: str = "Transcriptome with text annotations - paired dataset",
    license: str | None,
    tags: Sequence[str],
    splits: Mapping[str, Sequence[str]],
    features: Sequence[Mapping[str, Any]],
    n_rows: Mapping[str, int],
    n_bytes: Mapping[str, int],
    download_size: int,
    configs: Sequence[ConfigFiles] = (),
) -> CardFrontMatter:
    """Return the front matter, without the lines of dashes around it.

    Parameters
    ----------
    pretty_name
        Title of the dataset on the Hub.
    license
        Licence; written in lower case, as the Hub wants it. None leaves it out.
    tags
        Added to those that every dataset has.
    splits
        Patterns of the data files of each split (``data/train-*``), relative to the card.
    features
        Columns as in ``dataset_info`` of `datasets`: ``{"name": …, "dtype": …}``.
    n_rows, n_bytes
        Rows and uncompressed bytes of each split.
    download_size
        Bytes of all data files.
    configs
        Further configs, after the default one; each then has its own entry in ``dataset_info``.

    Raises
    ------
    InputError
        If there is no split, or ``n_rows`` or ``n_bytes`` name other splits.
    """
    for what, given in {"n_rows": n_rows, "n_bytes": n_bytes}.items():
        if not splits or set(given) != set(splits):
            raise InputError(f"card: {what} names splits {list(given)}, files {list(splits)}")
    fields: dict[str, Any] = {
        "language": ["code"],
        "pretty_name": pretty_name,
        "tags": list(dict.fromkeys([*REQUIRED_TAGS, *tags])),
    }
    if license is not None:
        fields["license"] = license.lower()
    fields |= {
        "task_categories": ["zero-shot-classification"],
        "size_categories": [size_category(sum(n_rows.values()))],
        "configs": [
            {"config_name": "default", "data_files": _list_data_files(splits)},
            *(_list_config(config) for config in configs),
        ],
    }
    info = {
        "features": [dict(feature) for feature in features],
        "splits": [_count_split(name, n_rows[name], n_bytes[name]) for name in splits],
        "download_size": download_size,
        "dataset_size": sum(n_bytes.values()),
    }
    others = [_describe_config(config) for config in configs]
    fields["dataset_info"] = [{"config_name": "default", **info}, *others] if others else info
    # safe_dump quotes whatever could end the YAML or change its meaning.
    return CardFrontMatter(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True))


def size_category(n_rows: int) -> str:
    """Return the Hub's word for a number of rows.

    Examples
    --------
    >>> size_category(700), size_category(1000), size_category(250_000)
    ('n<1K', '1K<n<10K', '100K<n<1M')
    """
    n_tens = len(str(n_rows)) - 3
    return _SIZES[min(max(n_tens, 0), len(_SIZES) - 1)]


def _list_data_files(splits: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [
        {"split": name, "path": patterns[0] if len(patterns) == 1 else list(patterns)}
        for name, patterns in splits.items()
    ]


def _count_split(name: str, n_rows: int, n_bytes: int) -> dict[str, Any]:
    return {"name": name, "num_bytes": n_bytes, "num_examples": n_rows}


def _list_config(config: ConfigFiles) -> dict[str, Any]:
    splits = {split: [f"{config.name}/{split}-*"] for split in config.shards}
    return {"config_name": config.name, "data_files": _list_data_files(splits)}


def _describe_config(config: ConfigFiles) -> dict[str, Any]:
    shards = [shard for found in config.shards.values() for shard in found]
    return {
        "config_name": config.name,
        "features": [dict(feature) for feature in config.features],
        "splits": [
            _count_split(split, sum(s.n_rows for s in found), sum(s.n_bytes_raw for s in found))
            for split, found in config.shards.items()
        ],
        "download_size": sum(shard.n_bytes for shard in shards),
        "dataset_size": sum(shard.n_bytes_raw for shard in shards),
    }
