"""What public archives say of the accessions of a dataset: GEO and SRA, through ``pysradb``.

Belongs here: the questions, the cache of answers, and what an answer allows to say of one cell.
The only module of annotation that opens sockets, and only where the YAML names an accession column.
An archive that is away leaves everything unknown; nothing is guessed, and nothing but accessions
is sent.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from adata_assets.annotation.harmonised.entrez import Entrez, EntrezAwayError
from adata_assets.annotation.values import MISSING, clean_text, clean_values
from adata_assets.commit import write_atomically
from adata_assets.errors import InputError

PREFIX = "accession_"
# Stated where all experiments behind the accession agree. A study's title says what the study was
# about, not what one cell is: the column is named after the study.
FIELDS = (
    "organism",
    "instrument",
    "library_strategy",
    "library_source",
    "library_selection",
    "library_layout",
    "sample_title",
    "biosample",
    "study_accession",
    "study_title",
)
LEVEL, STATUS = "accession_level", "accession_status"
FOUND = "found"
_COLUMN_OF = {"organism": "organism_name"}
_LEVELS = {
    "sample": r"GSM\d+|[SED]R[RXS]\d+|SAM(N|EA|D)\d+",
    "study": r"GSE\d+|[SED]RP\d+|PRJ(NA|EB|DB)\d+",
}
_ACCESSION_COLUMNS = (
    *("run_accession", "experiment_accession", "sample_accession", "study_accession"),
    *("biosample", "bioproject"),
)
_CACHE_FORMAT = 1
_SAVE_EVERY = 50
# What pysradb raises where an answer lacks something that it takes for granted.
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError)


def look_up_accessions(
    accessions: Iterable[str | None],
    *,
    cache: Path,
    base_url: str | None = None,
    timeout_s: float = 30.0,
    n_attempts: int = 4,
    backoff_s: float = 1.0,
) -> pd.DataFrame:
    """Return what the archives say of each distinct accession.

    Parameters
    ----------
    accessions
        GSM, GSE, SRR, SRX, SRS, SRP, BioSample or BioProject; missing values are passed over,
        repeated ones asked once. Anything else is not sent anywhere.
    cache
        JSON file of the answers; made if it is not there. An accession that was found is never
        asked again; one that was not found, or not answered, is asked again next time.
    base_url
        Folder of NCBI's E-utilities; default: ``ADATA_ASSETS_ENTREZ_URL``, else NCBI's own.
    timeout_s
        Seconds without a byte until a request counts as failed.
    n_attempts
        Requests until an archive counts as away; after that nothing more is asked.
    backoff_s
        Wait after the first failure; doubled after each, or as the archive asks.

    Returns
    -------
    Indexed by ``accession``, sorted; ``accession_<field>`` for ``FIELDS``, str or None where the
    archive does not say or the experiments differ; ``accession_level`` (``sample`` or ``study``,
    None for no accession); ``accession_status``: ``found``, else the reason in words.

    Raises
    ------
    InputError
        If ``pysradb`` is not installed, or the cache is none.
    """
    distinct = sorted(set(clean_values(pd.Series(list(accessions), dtype=object)).dropna()))
    known = _read_cache(cache)
    statuses: dict[str, str] = {name: FOUND for name in distinct if name in known}
    asked = [name for name in distinct if name not in known and _level_of(name)]
    if asked:
        archive = _Archive(Entrez(base_url, timeout_s, n_attempts, backoff_s))
        for start in range(0, len(asked), _SAVE_EVERY):
            for name in asked[start : start + _SAVE_EVERY]:
                answer, statuses[name] = archive.ask(name)
                if answer is not None:
                    known[name] = answer
            _write_cache(cache, known)
    rows = [_row(name, known.get(name, {}), statuses.get(name)) for name in distinct]
    columns = [*(PREFIX + field for field in FIELDS), LEVEL, STATUS]
    index = pd.Index(distinct, name="accession", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)


def report_accessions(accessions: pd.Series, table: pd.DataFrame) -> pd.DataFrame:
    """Return a report in the columns of `Harmonised.report`, a row per distinct accession.

    Parameters
    ----------
    accessions
        The obs column, one value per cell.
    table
        What ``look_up_accessions`` returned for it.
    """
    counts = clean_values(accessions).value_counts(sort=False)
    rows = [
        (str(accessions.name), "accession", name, table.at[name, STATUS], int(n))
        for name, n in sorted(counts.items())
    ]
    return pd.DataFrame(rows, columns=["column", "finding", "value", "detail", "n_obs"])


def spread_accessions(accessions: pd.Series, table: pd.DataFrame) -> pd.DataFrame:
    """Return the table's columns for every cell: one row per cell, RangeIndex, str or None.

    Parameters
    ----------
    accessions
        The obs column, one value per cell.
    table
        What ``look_up_accessions`` returned for it.
    """
    rows = table.index.get_indexer(pd.Index(clean_values(accessions), dtype=object))
    spread = {name: [*table[name], None] for name in table.columns}
    return pd.DataFrame(
        {name: [values[row] for row in rows] for name, values in spread.items()}, dtype=object
    )


class _Archive:
    """Asks one archive about one accession after the other, until it is away."""

    def __init__(self, entrez: Entrez) -> None:
        self._entrez = entrez
        self._web = _make_client(entrez)
        self._away: str | None = None

    def ask(self, accession: str) -> tuple[dict[str, str | None] | None, str]:
        """Return the answer and ``found``, or None and the reason."""
        if self._away:
            return None, f"not asked: {self._away}"
        try:
            answer = self._describe(accession)
        except EntrezAwayError as error:
            self._away = str(error)
            return None, self._away
        except _UNREADABLE as error:
            return None, f"the archive's answer cannot be read ({type(error).__name__}: {error})"
        return (answer, FOUND) if answer else (None, "the archive knows no such accession")

    def _describe(self, accession: str) -> dict[str, str | None] | None:
        if not accession.startswith("GS"):
            return self._describe_sra(accession)
        record = _geo_record(self._web.get_esummary_response("geo", accession), accession)
        if record is None:
            return None
        linked = [e["targetobject"] for e in record.get("extrelations") or () if _is_sra(e)]
        answer = (self._describe_sra(linked[0]) if len(linked) == 1 else None) or {}
        is_sample = accession.startswith("GSM")
        own = {
            "organism": _one_of(record.get("taxon")),
            "sample_title": record.get("title") if is_sample else None,
            "study_title": None if is_sample else record.get("title"),
            "study_accession": None if is_sample else accession,
        }
        return {**answer, **{field: text for field, value in own.items() if (text := _text(value))}}

    def _describe_sra(self, accession: str) -> dict[str, str | None] | None:
        with warnings.catch_warnings():
            # pysradb leaves pandas' announcements to its own users.
            warnings.simplefilter("ignore", FutureWarning)
            table = self._web.sra_metadata(accession)
        if table is None or table.empty:
            return None
        # The archive searches all text: an experiment can mention the accession of another one.
        columns = [column for column in _ACCESSION_COLUMNS if column in table]
        meant = table[table[columns].eq(accession).any(axis=1)]
        return {field: _common(meant, field) for field in FIELDS} if len(meant) else None


def _make_client(entrez: Entrez) -> Any:
    try:
        with warnings.catch_warnings():
            # On import pysradb silences warnings for the whole process.
            from pysradb.sraweb import SRAweb
    except ImportError as error:
        raise InputError(
            "harmonise.accession looks accessions up through pysradb, which is not installed: "
            "pip install adata_assets[sra], or leave harmonise.accession out"
        ) from error
    client = SRAweb()
    # pysradb asks without a timeout, prints, and takes an error page for an answer.
    client.get_esummary_response = entrez.fetch_summaries
    return client


def _level_of(accession: str) -> str | None:
    return next((level for level, p in _LEVELS.items() if re.fullmatch(p, accession)), None)


def _row(name: str, answer: Mapping[str, str | None], status: str | None) -> list[str | None]:
    reason = status or f"{name!r} is no GEO or SRA accession; it was not looked up"
    return [*(answer.get(field) for field in FIELDS), _level_of(name), reason]


def _geo_record(summaries: Mapping[str, Any] | None, accession: str) -> Mapping[str, Any] | None:
    records = [(summaries or {}).get(uid, {}) for uid in (summaries or {}).get("uids", ())]
    return next((record for record in records if record.get("accession") == accession), None)


def _is_sra(relation: Mapping[str, Any]) -> bool:
    return relation.get("relationtype") == "SRA" and bool(_level_of(relation["targetobject"]))


def _common(table: pd.DataFrame, field: str) -> str | None:
    column = _COLUMN_OF.get(field, field)
    values = set(map(_text, table[column])) if column in table else {None}
    return values.pop() if len(values) == 1 else None


def _one_of(taxa: object) -> str | None:
    """Return the organism, or None of a study of several."""
    return taxa if isinstance(taxa, str) and ";" not in taxa else None


def _text(value: object) -> str | None:
    text = clean_text(value) if isinstance(value, str) else ""
    return None if text.lower() in MISSING else text


def _read_cache(cache: Path) -> dict[str, dict[str, str | None]]:
    if not cache.exists():
        return {}
    try:
        stored = json.loads(cache.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        stored = None
    content = stored if isinstance(stored, dict) else {}
    known = content.get("accessions")
    is_known = isinstance(known, dict) and all(isinstance(one, dict) for one in known.values())
    if content.get("format") == _CACHE_FORMAT and isinstance(known, dict) and is_known:
        return known
    raise InputError(
        f"{cache} is no cache of accessions (format {_CACHE_FORMAT}); delete it, and the archives "
        f"are asked again (it begins with {cache.read_bytes()[:40]!r})"
    )


def _write_cache(cache: Path, known: Mapping[str, Mapping[str, str | None]]) -> None:
    os.makedirs(cache.parent, exist_ok=True)
    content = {"format": _CACHE_FORMAT, "accessions": dict(sorted(known.items()))}
    write_atomically(cache, json.dumps(content, indent=1, sort_keys=True))
