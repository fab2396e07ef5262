"""Accession metadata through pysradb: what an answer allows to say, and honest not-knowing."""

from __future__ import annotations

import json
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from adata_assets.annotation.harmonised.accessions import (
    look_up_accessions,
    report_accessions,
    spread_accessions,
)
from adata_assets.annotation.harmonised.entrez import NCBI, Entrez, EntrezAwayError
from adata_assets.errors import InputError
from adata_assets_tests.servers.sra import Archive, geo_record, running_archive, sra_record


@pytest.fixture
def archive() -> Iterator[Archive]:
    """One lung sample and the study that it belongs to, with a mouse experiment in it."""
    with running_archive() as archive:
        sample = sra_record("SRX7802105", "SRR11181954", "SRR11181955")
        archive.add("sra", ["SRX7802105", "SRR11181954", "SRP250732", "SRR1"], sample)
        other = sra_record("SRX7802106", "SRR2", organism="Mus musculus", layout="SINGLE")
        archive.add("sra", ["SRP250732"], other)
        series = geo_record("GSE145926", title="Landscape of COVID-19", sra="SRP250732")
        geo_sample = geo_record("GSM4339774", title="BALF, C146", sra="SRX7802105")
        archive.add("gds", ["GSM4339774", "GSE145926"], series)
        archive.add("gds", ["GSM4339774"], geo_sample)
        unlinked = geo_record("GSM9", title="no reads", sra=None, taxon="Gallus gallus")
        archive.add("gds", ["GSM9"], unlinked)
        yield archive


def look_up(archive: Archive, tmp_path: Path, *accessions: str | None) -> pd.DataFrame:
    return look_up_accessions(
        accessions, cache=tmp_path / "cache.json", base_url=archive.base_url, backoff_s=0
    )


def test_a_sample_has_what_its_experiment_says(archive: Archive, tmp_path: Path):
    table = look_up(archive, tmp_path, "GSM4339774")
    assert table.loc["GSM4339774"].to_dict() == {
        "accession_organism": "Homo sapiens",
        "accession_instrument": "Illumina NovaSeq 6000",
        "accession_library_strategy": "RNA-Seq",
        "accession_library_source": "TRANSCRIPTOMIC",
        "accession_library_selection": "cDNA",
        "accession_library_layout": "PAIRED",
        "accession_sample_title": "BALF, C146",
        "accession_biosample": "SAMN14184426",
        "accession_study_accession": "SRP250732",
        "accession_study_title": "Landscape of bronchoalveolar immune cells in COVID-19",
        "accession_level": "sample",
        "accession_status": "found",
    }


def test_a_study_says_only_what_all_its_experiments_agree_on(archive: Archive, tmp_path: Path):
    study = look_up(archive, tmp_path, "SRP250732").loc["SRP250732"]
    assert study["accession_level"] == "study"
    assert study["accession_instrument"] == "Illumina NovaSeq 6000"
    assert study["accession_organism"] is None
    assert study["accession_library_layout"] is None


def test_a_run_and_a_sample_without_reads(archive: Archive, tmp_path: Path):
    table = look_up(archive, tmp_path, "SRR11181954", "GSM9")
    assert table["accession_organism"].to_dict() == {
        "GSM9": "Gallus gallus",
        "SRR11181954": "Homo sapiens",
    }
    assert table.at["GSM9", "accession_instrument"] is None


def test_an_experiment_that_only_mentions_the_accession_is_not_it(archive: Archive, tmp_path: Path):
    table = look_up(archive, tmp_path, "SRR1", "SRR999")
    assert table["accession_organism"].tolist() == [None, None]
    assert set(table["accession_status"]) == {"the archive knows no such accession"}


def test_a_series_of_several_organisms_has_none(archive: Archive, tmp_path: Path):
    both = geo_record("GSE7", title="two", sra=None, taxon="Homo sapiens; Mus musculus")
    archive.add("gds", ["GSE7"], both)
    series = look_up(archive, tmp_path, "GSE7").loc["GSE7"]
    assert series["accession_organism"] is None
    assert series["accession_study_title"] == "two"
    assert series["accession_sample_title"] is None


def test_distinct_accessions_are_asked_once_and_then_read_from_the_cache(
    archive: Archive, tmp_path: Path
):
    first = look_up(archive, tmp_path, "SRX7802105", " SRX7802105", None, "unknown", "SRX7802105")
    assert archive.terms == ["SRX7802105"]
    archive.is_away = True
    again = look_up(archive, tmp_path, "SRX7802105")
    assert archive.terms == ["SRX7802105"]
    pd.testing.assert_frame_equal(first, again)
    assert [path.name for path in tmp_path.iterdir()] == ["cache.json"]


def test_what_is_no_accession_is_not_sent_anywhere(archive: Archive, tmp_path: Path):
    table = look_up(archive, tmp_path, "Ann Example", "GSM12x")
    assert archive.asked == []
    assert "no GEO or SRA accession" in table.at["Ann Example", "accession_status"]
    assert table["accession_level"].tolist() == [None, None]


@pytest.mark.parametrize(
    "failure",
    [
        (429, '{"error": "API rate limit exceeded"}', {"Retry-After": "0"}),
        (500, "<html>error</html>", {}),
        (200, "<html>a login page of the network</html>", {}),
        (200, '{"esearchresult": "gone"}', {}),
    ],
)
def test_a_bad_moment_is_waited_out(
    archive: Archive, tmp_path: Path, failure: tuple[int, str, dict[str, str]]
):
    archive.failures = [failure, failure]
    table = look_up(archive, tmp_path, "SRX7802105")
    assert table.at["SRX7802105", "accession_status"] == "found"
    assert len(archive.asked) == 4


def test_an_archive_that_is_away_leaves_all_unknown_and_is_no_answer(
    archive: Archive, tmp_path: Path
):
    archive.is_away = True
    table = look_up(archive, tmp_path, "SRX7802105", "SRR11181954")
    assert len(archive.asked) == 4, "four attempts, then nothing more is asked"
    assert table.filter(like="accession_organism").isna().all(axis=None)
    assert "HTTP 503" in table["accession_status"].iloc[0]
    assert table["accession_status"].iloc[1].startswith("not asked: 127.0.0.1")
    archive.is_away = False
    back = look_up(archive, tmp_path, "SRX7802105", "SRR11181954")
    assert back["accession_status"].tolist() == ["found", "found"]


def test_nobody_listens(tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    table = look_up_accessions(["SRX1"], cache=tmp_path / "c.json", base_url=url, backoff_s=0)
    assert "ConnectionError" in table.at["SRX1", "accession_status"]


def test_a_server_that_never_answers_is_away():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(EntrezAwayError, match="ReadTimeout"):
            Entrez(url, 0.05, 2, 0).fetch_summaries("sra", "SRX1")


def test_an_answer_that_cannot_be_read_is_not_cached(archive: Archive, tmp_path: Path):
    archive.add("sra", ["SRX5"], {"expxml": "<Summary>", "runs": ""})
    archive.add("sra", ["SRX6"], {"runs": ""})
    table = look_up(archive, tmp_path, "SRX5", "SRX6", "SRX7802105")
    assert ["cannot be read" in one for one in table["accession_status"]] == [True, True, False]
    assert list(json.loads((tmp_path / "cache.json").read_text())["accessions"]) == ["SRX7802105"]


def test_many_records_come_in_pages(archive: Archive):
    for number in range(450):
        archive.add("sra", ["SRP1"], sra_record(f"SRX{number}", f"SRR{number}", study="SRP1"))
    found = Entrez(archive.base_url, 10, 1, 0).fetch_summaries("sra", "SRP1")
    assert len(found["uids"]) == len(set(found["uids"])) == 450


def test_waiting_doubles_and_heeds_the_archive(archive: Archive):
    archive.failures = [(503, "", {}), (429, "{}", {"Retry-After": "7"}), (503, "", {})]
    waits: list[float] = []
    entrez = Entrez(archive.base_url, 10, 3, 2.0, sleep=waits.append)
    with pytest.raises(EntrezAwayError, match=r"3 attempts \(last: esearch: HTTP 503"):
        entrez.fetch_summaries("sra", "SRX1")
    assert [wait for wait in waits if wait] == [2.0, 7.0]


def test_the_key_travels_in_the_body_and_no_error_holds_it(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
):
    """P17: no secret in a URL."""
    monkeypatch.setenv("NCBI_API_KEY", "secret-key")
    archive.is_away = True
    with pytest.raises(EntrezAwayError) as caught:
        Entrez(archive.base_url, 10, 1, 0).fetch_summaries("sra", "SRX1")
    assert "secret-key" not in str(caught.value)
    assert archive.asked[0][1]["api_key"] == "secret-key"


def test_the_address_comes_from_the_environment(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ADATA_ASSETS_ENTREZ_URL", archive.base_url)
    look_up_accessions(["SRX7802105"], cache=tmp_path / "new" / "cache.json")
    assert archive.terms == ["SRX7802105"]
    assert NCBI.startswith("https://")


def test_without_pysradb_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Archive
):
    monkeypatch.setitem(sys.modules, "pysradb.sraweb", None)
    with pytest.raises(InputError, match=r"pip install adata_assets\[sra\]"):
        look_up(archive, tmp_path, "SRX1")


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2, "accessions": {}}', "\x00"])
def test_a_foreign_cache_is_refused(archive: Archive, tmp_path: Path, text: str):
    (tmp_path / "cache.json").write_text(text)
    with pytest.raises(InputError, match=r"cache\.json is no cache of accessions .*delete it"):
        look_up(archive, tmp_path, "SRX1")


def test_the_process_keeps_its_warnings(archive: Archive, tmp_path: Path):
    before = list(warnings.filters)
    look_up(archive, tmp_path, "SRX7802105")
    assert warnings.filters == before


def test_cells_and_report(archive: Archive, tmp_path: Path):
    cells = pd.Series(["SRX7802105", None, "SRX404", "SRX7802105"], name="geo")
    table = look_up(archive, tmp_path, *cells)
    spread = spread_accessions(cells, table)
    assert spread["accession_organism"].tolist() == ["Homo sapiens", None, None, "Homo sapiens"]
    assert spread["accession_status"].tolist()[1] is None
    assert list(report_accessions(cells, table).itertuples(index=False, name=None)) == [
        ("geo", "accession", "SRX404", "the archive knows no such accession", 1),
        ("geo", "accession", "SRX7802105", "found", 2),
    ]


def test_no_accessions_at_all(tmp_path: Path):
    table = look_up_accessions([None, "na"], cache=tmp_path / "c.json")
    assert table.empty and list(table.columns)[-1] == "accession_status"
    spread = spread_accessions(pd.Series([None, "na"]), table)
    assert spread.shape == (2, 12) and spread.isna().all(axis=None)
