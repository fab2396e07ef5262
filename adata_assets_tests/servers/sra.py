"""NCBI's E-utilities on loopback: esearch and esummary of SRA and GEO, with bad days."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape, quoteattr


def sra_record(
    experiment: str,
    *runs: str,
    sample: str = "SRS6189918",
    study: str = "SRP250732",
    organism: str = "Homo sapiens",
    instrument: str = "Illumina NovaSeq 6000",
    strategy: str = "RNA-Seq",
    layout: str = "PAIRED",
    title: str = "GSM4339774: BALF, C146; Homo sapiens; RNA-Seq",
) -> dict[str, Any]:
    """Return an esummary record of one experiment, as NCBI writes it."""
    expxml = (
        f'<Summary><Title>{escape(title)}</Title><Platform instrument_model="{instrument}">ILLUMINA'
        f'</Platform><Statistics total_runs="{len(runs)}" total_spots="7" total_bases="9" '
        'total_size="5"/></Summary><Submitter acc="SRA1" center_name="GEO"/>'
        f'<Experiment acc="{experiment}" ver="1" status="public" name={quoteattr(title)}/>'
        f'<Study acc="{study}" name="Landscape of bronchoalveolar immune cells in COVID-19"/>'
        f'<Organism taxid="9606" ScientificName="{organism}"/>'
        f'<Sample acc="{sample}" name=""/><Instrument ILLUMINA="{instrument}"/>'
        f"<Library_descriptor><LIBRARY_NAME/><LIBRARY_STRATEGY>{strategy}</LIBRARY_STRATEGY>"
        "<LIBRARY_SOURCE>TRANSCRIPTOMIC</LIBRARY_SOURCE><LIBRARY_SELECTION>cDNA"
        f"</LIBRARY_SELECTION><LIBRARY_LAYOUT><{layout}/></LIBRARY_LAYOUT></Library_descriptor>"
        "<Bioproject>PRJNA608742</Bioproject><Biosample>SAMN14184426</Biosample>"
    )
    runs_xml = "".join(
        f'<Run acc="{run}" total_spots="7" total_bases="9" load_done="true" is_public="true"/>'
        for run in runs
    )
    return {"expxml": expxml, "runs": runs_xml, "extlinks": "", "createdate": "2020/02/26"}


def geo_record(
    accession: str, *, title: str, sra: str | None, taxon: str = "Homo sapiens"
) -> dict[str, Any]:
    """Return an esummary record of one GEO series or sample."""
    link = {"relationtype": "SRA", "targetobject": sra, "targetftplink": "ftp://ftp.invalid/"}
    return {
        "accession": accession,
        "entrytype": accession[:3],
        "title": title,
        "taxon": taxon,
        "gse": "145926",
        "extrelations": [link] if sra else [],
    }


@dataclass
class Archive:
    """What the server knows, how it fails, and what it was asked.

    Attributes
    ----------
    found
        Ids of the records that a search finds, by database and term.
    records
        esummary records by id.
    failures
        ``(status, body, headers)`` of the next answers, before it works again.
    is_away
        Whether every answer is an error page.
    asked
        Tool and form of every request.
    """

    found: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    is_away: bool = False
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    base_url: str = ""

    def add(self, db: str, terms: list[str], record: dict[str, Any]) -> None:
        """Let searches for any of the terms find a record."""
        uid = str(1000 + len(self.records))
        self.records[uid] = {"uid": uid, **record}
        for term in terms:
            self.found.setdefault((db, term), []).append(uid)

    @property
    def terms(self) -> list[str]:
        """What was searched for, in order."""
        return [form["term"] for tool, form in self.asked if tool == "esearch"]

    def answer(self, tool: str, form: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        """Return status, body and headers."""
        self.asked.append((tool, form))
        if self.is_away:
            return 503, "<html>Service unavailable</html>", {}
        if self.failures:
            return self.failures.pop(0)
        if tool == "esearch":
            return 200, json.dumps(self._search(form)), {}
        ids = form["id"].split(",")
        return 200, json.dumps({"result": {"uids": ids, **{i: self.records[i] for i in ids}}}), {}

    def _search(self, form: dict[str, str]) -> dict[str, Any]:
        ids = self.found.get((form["db"], form["term"]), [])
        start = int(form["retstart"])
        page = ids[start : start + int(form["retmax"])]
        return {"esearchresult": {"count": str(len(ids)), "retstart": str(start), "idlist": page}}


@contextmanager
def running_archive() -> Iterator[Archive]:
    """Serve an archive on a free loopback port while the block runs."""
    archive = Archive()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            n_bytes = int(self.headers["Content-Length"])
            form = {k: v[0] for k, v in parse_qs(self.rfile.read(n_bytes).decode()).items()}
            tool = self.path.rpartition("/")[2].removesuffix(".fcgi")
            status, body, headers = archive.answer(tool, form)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    archive.base_url = f"http://127.0.0.1:{server.server_address[1]}/entrez/eutils"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
