"""A published folder as rules see it: files, card, tables, manifest; read when asked for.

What cannot be read is empty here, and a rule of its own says so; the others then have nothing to
look at.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from adata_assets.hub.content import group_shards
from adata_assets.hub.croissant import CROISSANT
from adata_assets.hub.manifest import MANIFEST, parse_manifest
from adata_assets.spec import SPLITS

CARD = "README.md"
ROWS = "data/"
_MB = 1_000_000
# Small columns are read once; large ones as often as a rule asks, so that memory stays bounded.
_KEPT_BYTES = 8 * _MB


@dataclass(frozen=True)
class Limits:
    """What the Hub and its viewer document; bytes, or numbers of things."""

    file_bytes: int = 20_000 * _MB
    plain_git_bytes: int = 10 * _MB
    row_group_bytes: int = 300 * _MB
    row_bytes: int = 2 * _MB
    n_columns: int = 1_000
    n_files: int = 100_000
    n_entries: int = 10_000
    n_path_chars: int = 255
    n_url_chars: int = 2_048


class PublishedFolder:
    """The files of one release.

    Parameters
    ----------
    path
        The folder.
    limits
        Other limits than those of the Hub.
    """

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.path, self.limits = path, limits or Limits()
        self._kept: dict[tuple[str, str], pa.ChunkedArray] = {}

    @cached_property
    def files(self) -> dict[str, Path]:
        """Every file by its path in the folder, sorted."""
        # A published folder may itself be a link; what is linked inside is the matter of a rule.
        found = sorted(path for path in self.path.resolve().rglob("*") if not path.is_dir())
        return {path.relative_to(self.path.resolve()).as_posix(): path for path in found}

    @cached_property
    def card(self) -> str:
        """Text of the card below its front matter; empty without a card."""
        return self._card[1]

    @cached_property
    def front_matter_text(self) -> str:
        """What stands between the lines of dashes; empty without them."""
        return self._card[0]

    @cached_property
    def front_matter(self) -> dict[str, Any]:
        """YAML at the top of the card."""
        try:
            found = yaml.safe_load(self.front_matter_text)
        except yaml.YAMLError:
            return {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def _card(self) -> tuple[str, str]:
        if CARD not in self.files:
            return "", ""
        text = self.files[CARD].read_text(encoding="utf-8", errors="replace")
        parts = re.split(r"^---$\n?", text, maxsplit=2, flags=re.MULTILINE)
        return (parts[1], parts[2]) if len(parts) == 3 and not parts[0] else ("", text)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest; empty without one."""
        if MANIFEST not in self.files:
            return {}
        return parse_manifest(self.files[MANIFEST].read_bytes()) or {}

    @cached_property
    def croissant(self) -> dict[str, Any]:
        """``croissant.json``; empty without one."""
        if CROISSANT not in self.files:
            return {}
        try:
            found = json.loads(self.files[CROISSANT].read_bytes())
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def shards(self) -> dict[str, pq.FileMetaData]:
        """What each readable parquet file says of itself."""
        found = {}
        for name, path in self.files.items():
            if name.endswith(".parquet"):
                try:
                    found[name] = pq.read_metadata(path)
                except (OSError, pa.ArrowException):
                    continue
        return found

    @cached_property
    def tables(self) -> dict[str, list[str]]:
        """Readable shards of each table, ``<folder>/<split>``."""
        return group_shards(self.shards)

    @cached_property
    def splits(self) -> dict[str, str]:
        """The table of each split of the rows themselves, train first."""
        found = {t.removeprefix(ROWS): t for t in self.tables if t.startswith(ROWS)}
        return {split: found[split] for split in dict.fromkeys([*SPLITS, *found]) if split in found}

    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a table (or of one shard)."""
        return self.shards[self.tables.get(name, [name])[0]].schema.to_arrow_schema()

    def n_rows(self, table: str) -> int:
        """Return the rows of a table."""
        return sum(self.shards[shard].num_rows for shard in self.tables[table])

    def rows(self, table: str, *columns: str) -> pa.Table:
        """Return some columns of a table, those that it has; none of a damaged one."""
        known = [name for name in columns if name in self.schema(table).names]
        try:
            return pa.table({name: self._column(table, name) for name in known})
        except (OSError, pa.ArrowException):
            return pa.table({})

    def _column(self, table: str, name: str) -> pa.ChunkedArray:
        found = self._kept.get((table, name))
        if found is None:
            parts = [
                pq.read_table(self.files[shard], columns=[name], page_checksum_verification=True)
                for shard in self.tables[table]
            ]
            found = pa.concat_tables(parts)[name]
            if found.nbytes < _KEPT_BYTES:
                self._kept[table, name] = found
        return found

    def all_rows(self, *columns: str) -> pa.Table:
        """Return some columns of all splits, one below the other; those that all splits have."""
        parts = [self.rows(table, *columns) for table in self.splits.values()]
        if not parts:
            return pa.table({})
        known = [name for name in columns if all(name in part.column_names for part in parts)]
        return pa.concat_tables(part.select(known) for part in parts)
