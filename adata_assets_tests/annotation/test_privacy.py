"""Columns that leave the machine, and identifiers of people that do not leave it unasked."""

from __future__ import annotations

import pandas as pd
import pytest

from adata_assets.annotation.harmonised.privacy import (
    PrivacyError,
    choose_published,
    find_identifiers,
    select_published,
)
from adata_assets.errors import InputError


@pytest.mark.parametrize(
    "name",
    [
        *("patient_name", "PatientName", "subject.name", "firstName", "last name", "FULL_NAME"),
        *("surname", "donor_name", "dob", "date_of_birth", "DateOfBirth", "birth_date", "birthday"),
        *("email", "E-mail", "contact_email", "phone", "phone_number", "mobile number"),
        *("address", "homeAddress", "zip", "zip_code", "post code", "postcode", "SSN"),
        *("social_security", "MRN", "medical_record_number", "medicalRecord", "national_id"),
        *("insurance_no", "health insurance number", "nhs_number", "passport", "fastq_path"),
        *("file", "file_name", "source_file", "filepath", "patient initials"),
    ],
)
def test_a_name_gives_an_identifier_away(name: str):
    assert list(find_identifiers(pd.DataFrame({name: ["x"]}))) == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("donor_id", "patient_id", "patient", "sample_name", "cell_type_name", "feature_name"),
        *("gene_name", "barcode", "geo_accession", "library_name", "pathology", "path_stage"),
        *("gene_family_name", "cluster_full_name", "zip_score", "birth_weight", "last_treatment"),
        *("profile", "post_qc_code", "first_passage", "file_id", "nationality", "hospital"),
        *("observation_joinid", "author_cell_type", "driver_mutation", "batch", "", "名前", "---"),
    ],
)
def test_an_innocent_name_is_fine(name: str):
    assert find_identifiers(pd.DataFrame({name: ["x"]})) == {}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("note", "ask ann.b@clinic.example.org", "e-mail"),
        ("note", "/home/ann/cells.h5ad", "file paths"),
        ("note", "from /data/run7/x.bam", "file paths"),
        ("note", r"C:\Users\Ann", "file paths"),
        ("note", r"\\server\share", "file paths"),
        ("note", "file:///x", "file paths"),
        ("note", "~/cells", "file paths"),
        ("patient", "1957-03-12", "dates of birth"),
        ("donor", "12.03.1957", "dates of birth"),
        ("year of birth", pd.Timestamp("1957-03-12"), "dates of birth"),
    ],
)
def test_values_give_an_identifier_away(name: str, value: object, reason: str):
    obs = pd.DataFrame({name: ["x", None, value]})
    assert reason in find_identifiers(obs)[name]
    as_categories = pd.DataFrame({name: pd.Categorical(["x"], categories=["x", str(value)])})
    assert reason in find_identifiers(as_categories)[name], "unused categories are written too"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("cell_type", ["CD4+/CD45RO+ Memory", "T/NK", "n/a", "and / or"]),
        ("assay", ["10x 3' v3", "https://example.org/protocols/10x"]),
        ("observation_joinid", ["Rm$g<!r1CD", "a@b^c_d~e{", "`c7iP39`Q0"]),
        ("collection_date", ["2020-03-12"]),
        ("donor_id", ["D1", "2020-1", "S3"]),
        ("donor", ["18-25", "2001-2005"]),
        ("age", [41, 42]),
        ("is_primary_data", [True, False]),
        ("score", [0.5, None]),
    ],
)
def test_innocent_values_are_fine(name: str, values: list[object]):
    assert find_identifiers(pd.DataFrame({name: values})) == {}


def test_a_column_without_values_tells_nothing():
    assert find_identifiers(pd.DataFrame({"patient_name": [None, None]})) == {}
    assert find_identifiers(pd.DataFrame(index=range(3))) == {}


OBS = pd.DataFrame(
    {
        "cell_type": ["B", "T"],
        "patient_name": ["Ann Example", "Bo Sample"],
        "note": ["fine", "ann@example.org"],
    }
)


def test_identifiers_block_and_both_ways_out_are_named():
    with pytest.raises(PrivacyError) as caught:
        choose_published(OBS, None, ())
    message = str(caught.value)
    assert "'patient_name': its name says that it holds a person's name" in message
    assert "'note': its values look like e-mail addresses" in message
    assert "drop_obs: ['patient_name', 'note']" in message and "publish_obs" in message
    assert "*** *******" in message and "***@*******.***" in message
    for value in ("Ann", "Example", "ann@", "Bo"):
        assert value not in message


def test_both_ways_out():
    assert choose_published(OBS, None, ("note", "patient_name")) == ["cell_type"]
    assert choose_published(OBS, ("note", "cell_type"), ()) == ["cell_type", "note"]
    assert choose_published(OBS, (), ()) == []
    with pytest.raises(PrivacyError, match="patient_name"):
        choose_published(OBS, None, ("note",))


@pytest.mark.parametrize("field", ["publish_obs", "drop_obs"])
def test_unknown_columns_are_refused_with_those_that_there_are(field: str):
    lists = {"publish_obs": (), "drop_obs": ()} | {field: ("tissue",)}
    with pytest.raises(InputError, match=rf"{field} names \['tissue'\].*'cell_type'"):
        select_published(OBS.columns, **lists)


def test_a_column_in_both_lists_is_refused():
    with pytest.raises(InputError, match="'note'"):
        choose_published(OBS, ("note",), ("note",))


def test_odd_frames():
    assert choose_published(pd.DataFrame(index=["a", "b"]), None, ()) == []
    mixed = pd.DataFrame({0: [1, "x", None, (1, 2)], "x": pd.Categorical([1, 2, None, 1])})
    assert choose_published(mixed, None, ()) == ["0", "x"]
    repeated = pd.DataFrame([["a", "me@example.org"]], columns=["x", "x"])
    with pytest.raises(InputError, match=r"several obs columns are named \['x'\]"):
        choose_published(repeated, None, ())
