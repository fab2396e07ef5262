"""NCBI's E-utilities: search and summaries, asked politely.

Belongs here: requests, waiting, retries, and what counts as no answer. What is read from the
summaries stands in ``accessions``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

NCBI = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
_DATABASES = {"sra": "sra", "geo": "gds"}
_PAGE = 200
_MAX_WAIT_S = 60.0


class EntrezAwayError(OSError):
    """The service gave no usable answer, however often it was asked."""


class Entrez:
    """Asks NCBI's E-utilities.

    Parameters
    ----------
    base_url
        Folder of ``esearch.fcgi`` and ``esummary.fcgi``; default: ``ADATA_ASSETS_ENTREZ_URL``,
        else NCBI's own.
    timeout_s
        Seconds without a byte until a request counts as failed.
    n_attempts
        Requests until the service counts as away.
    backoff_s
        Wait after the first failure, doubled after each; an answer's ``Retry-After`` goes first.
    sleep
        Waits; tests give their own.

    Notes
    -----
    With ``NCBI_API_KEY`` in the environment ten requests a second are allowed instead of three.
    The key travels in the body, so that no address in a log or an error holds it.
    """

    def __init__(
        self,
        base_url: str | None,
        timeout_s: float,
        n_attempts: int,
        backoff_s: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base_url = (base_url or os.environ.get("ADATA_ASSETS_ENTREZ_URL") or NCBI).rstrip("/")
        self._key = {"api_key": k} if (k := os.environ.get("NCBI_API_KEY")) else {}
        self._timeout_s, self._n_attempts, self._backoff_s = timeout_s, n_attempts, backoff_s
        self._sleep = sleep
        self._interval_s = (0.1 if self._key else 0.34) if self._base_url == NCBI else 0.0

    def fetch_summaries(self, db: str, term: str, usehistory: str = "n") -> dict[str, Any]:
        """Return the ``result`` of esummary for all records that a term finds; {} for none.

        Parameters
        ----------
        db
            ``sra`` or ``geo``.
        term
            One accession.
        usehistory
            Not used: ids are sent instead. Here because pysradb's method has it.

        Raises
        ------
        EntrezAwayError
            If there is no usable answer.
        """
        database = _DATABASES[db]
        ids: list[str] = []
        while True:
            page = self._post(
                "esearch", "esearchresult", db=database, term=term, retmax=_PAGE, retstart=len(ids)
            )
            ids += page.get("idlist", [])
            if not page.get("idlist") or len(ids) >= int(page.get("count", 0)):
                break
        results: dict[str, Any] = {}
        for start in range(0, len(ids), _PAGE):
            chosen = ids[start : start + _PAGE]
            page = self._post("esummary", "result", db=database, id=",".join(chosen))
            results = {**results, **page, "uids": [*results.get("uids", []), *page["uids"]]}
        return results

    def _post(self, tool: str, key: str, **fields: str | int) -> Mapping[str, Any]:
        """Return one part of an answer, asked for again while the service is busy."""
        reason = ""
        for attempt in range(self._n_attempts):
            self._sleep(self._interval_s)
            reason, wait_s, answer = self._post_once(tool, key, fields)
            if answer is not None:
                return answer
            if attempt + 1 < self._n_attempts:
                # What the service asks for goes first; nobody waits for hours.
                backoff_s = self._backoff_s * 2**attempt if wait_s is None else wait_s
                self._sleep(min(backoff_s, _MAX_WAIT_S))
        raise EntrezAwayError(
            f"{urlsplit(self._base_url).netloc} gave no usable answer in {self._n_attempts} "
            f"attempts (last: {reason})"
        )

    def _post_once(
        self, tool: str, key: str, fields: Mapping[str, str | int]
    ) -> tuple[str, float | None, Mapping[str, Any] | None]:
        data = {**fields, "retmode": "json", "tool": "adata_assets", **self._key}
        try:
            response = requests.post(
                f"{self._base_url}/{tool}.fcgi", data=data, timeout=self._timeout_s
            )
            answer = response.json()
        except requests.JSONDecodeError:
            return f"{tool}: HTTP {response.status_code}, not JSON", _wait_s(response), None
        except requests.RequestException as error:
            return f"{tool}: {type(error).__name__}", None, None
        if not response.ok:
            return f"{tool}: HTTP {response.status_code}", _wait_s(response), None
        found = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(found, dict):
            return f"{tool}: an answer without {key!r}", None, None
        return "", None, found


def _wait_s(response: requests.Response) -> float | None:
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdigit() else None
