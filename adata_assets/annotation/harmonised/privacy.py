"""Which obs columns leave the machine, and what must not leave it unasked.

Belongs here: columns that look like direct identifiers of people, by their name or their values,
and the choice of published columns. It finds what is written plainly; a pseudonym such as a donor
id is none, and no look at columns replaces the knowledge of whoever collected the cells.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence

import pandas as pd

from adata_assets.errors import InputError

_PERSONS = frozenset(
    (
        *("patient", "patients", "subject", "participant", "person", "donor", "individual"),
        *("client", "proband", "physician", "doctor", "clinician", "nurse", "contact"),
    )
)
_NAME_PARTS = frozenset(["first", "last", "middle", "full", "given", "family", "maiden", "legal"])
_NAMES = frozenset(["name", "names", "initials"])
_ONE_WORD_NAMES = frozenset(
    (
        *("firstname", "lastname", "fullname", "surname", "forename", "familyname", "givenname"),
        *("maidenname", "patientname", "subjectname", "donorname"),
    )
)
# A name of one of these is not a person's.
_THINGS = frozenset(
    (
        *("annotation", "assay", "batch", "cell", "cluster", "column", "dataset", "disease"),
        *("feature", "file", "gene", "group", "instrument", "kit", "label", "library", "lineage"),
        *("marker", "ontology", "organ", "organism", "panel", "plate", "project", "protein"),
        *("region", "run", "sample", "species", "state", "strain", "study", "subset", "taxon"),
        *("term", "tissue", "type"),
    )
)
_NUMBERS = frozenset(["id", "ids", "number", "no", "nr", "num", "code"])
_BIRTH = frozenset(["date", "day", "dt"])
_ONE_WORD: Mapping[str, str] = {
    **dict.fromkeys(_ONE_WORD_NAMES, "a person's name"),
    **dict.fromkeys(["dob", "birthdate", "birthday", "dateofbirth"], "a date of birth"),
    **dict.fromkeys(["email", "emails", "mail"], "an e-mail address"),
    **dict.fromkeys(["phone", "telephone", "phonenumber", "fax"], "a phone number"),
    **dict.fromkeys(["address", "addr", "street"], "an address"),
    "postal": "a post code",
    **dict.fromkeys(["ssn", "passport"], "a national id"),
    "mrn": "a medical record number",
    **dict.fromkeys(["filename", "filepath", "pathname"], "a file path"),
}
_EMAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b"
_PATH = r"(?:^|[\s\"'=,;(])(?:/[^/\s]+/[^/\s]|~/\S|[A-Za-z]:\\\S|\\\\\w+\\)|\bfile://\S"
_DATE = (
    r"^\s*(?:(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:19|20)\d\d)"
    r"(?:[ T]00:00(?::00)?(?:\.0+)?)?\s*$"
)
_VALUE_REASONS = {
    _EMAIL: "its values look like e-mail addresses",
    _PATH: "its values look like file paths of a computer",
}
_DATE_REASON = "its values look like dates of birth"
_MAX_EXAMPLE_CHARS = 40


class PrivacyError(InputError):
    """Columns that look like identifiers of people would leave the machine unasked."""


def find_identifiers(source_obs: pd.DataFrame) -> dict[str, str]:
    """Return the columns that look like direct identifiers, each with the reason.

    All categories of a categorical are looked at, also those of no cell: they are written out.

    Examples
    --------
    >>> find_identifiers(pd.DataFrame({"cell_type_name": ["B"], "contact": ["a.b@c.org"]}))
    {'contact': 'its values look like e-mail addresses'}
    """
    reasons = {}
    for place, name in enumerate(map(str, source_obs.columns)):
        column = source_obs.iloc[:, place]
        reason = _reason_of_name(name) or _reason_of_values(name, column)
        if reason and len(_distinct(column)):
            reasons[name] = reason
    return reasons


def choose_published(
    source_obs: pd.DataFrame, publish_obs: Sequence[str] | None, drop_obs: Sequence[str]
) -> list[str]:
    """Return what ``select_published`` does, if no identifier leaves the machine unasked.

    Raises
    ------
    PrivacyError
        If a column that looks like an identifier is neither listed in ``publish_obs`` nor dropped.
    InputError
        If a listed column is not there, or stands in both lists, or several have one name.
    """
    published = select_published(source_obs.columns, publish_obs, drop_obs)
    if publish_obs is None:
        is_kept = [str(name) in published for name in source_obs.columns]
        _require_no_identifiers(source_obs.loc[:, is_kept])
    return published


def select_published(
    columns: Iterable[Hashable], publish_obs: Sequence[str] | None, drop_obs: Sequence[str]
) -> list[str]:
    """Return the obs columns of the source that leave the machine, in the file's order.

    Parameters
    ----------
    columns
        Those that the source has.
    publish_obs
        Of the spec: the columns that do; None for all.
    drop_obs
        Of the spec: the columns that do not.

    Raises
    ------
    InputError
        If a listed column is not there, or stands in both lists, or several have one name.
    """
    present = list(map(str, columns))
    if repeated := sorted({name for name in present if present.count(name) > 1}):
        raise InputError(f"several obs columns are named {repeated}; give each its own name")
    _require_present("publish_obs", publish_obs or (), present)
    _require_present("drop_obs", drop_obs, present)
    if both := sorted(set(publish_obs or ()) & set(drop_obs)):
        raise InputError(f"obs columns {both} stand in publish_obs and in drop_obs; leave one")
    wanted = set(present if publish_obs is None else publish_obs) - set(drop_obs)
    return [name for name in present if name in wanted]


def _require_present(field: str, listed: Sequence[str], present: list[str]) -> None:
    if absent := [name for name in listed if name not in present]:
        raise InputError(f"{field} names {absent}, which obs does not have; it has {present}")


def _require_no_identifiers(source_obs: pd.DataFrame) -> None:
    reasons = find_identifiers(source_obs)
    if not reasons:
        return
    described = "; ".join(
        f"{name!r}: {reason} (such as {_example(source_obs, name, reason)!r}, masked)"
        for name, reason in reasons.items()
    )
    raise PrivacyError(
        f"obs columns look like direct identifiers of people and would be published: {described}. "
        f"Keep them on this machine with drop_obs: {list(reasons)} in the dataset's YAML, or, if "
        "they identify nobody, list every column to publish in publish_obs, these included"
    )


def _example(source_obs: pd.DataFrame, name: str, reason: str) -> str:
    texts = _distinct(source_obs.set_axis(source_obs.columns.astype(str), axis=1)[name])
    pattern = next((p for p, words in _VALUE_REASONS.items() if words == reason), None)
    if pattern:
        texts = texts[texts.str.contains(pattern, regex=True)]
    return re.sub(r"[^\W_]", "*", str(texts.iloc[0]))[:_MAX_EXAMPLE_CHARS]


def _reason_of_values(name: str, column: pd.Series) -> str | None:
    if not _holds_text(column):
        return None
    texts = _distinct(column)
    for pattern, reason in _VALUE_REASONS.items():
        if texts.str.contains(pattern, regex=True).any():
            return reason
    is_of_person = not (_PERSONS | {"birth"}).isdisjoint(_words_of(name))
    return _DATE_REASON if is_of_person and texts.str.contains(_DATE, regex=True).any() else None


def _holds_text(column: pd.Series) -> bool:
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    return not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values))


def _distinct(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = pd.Series(column.cat.categories)
    else:
        values = pd.Series(column.dropna().astype(object).unique())
    return values.astype(object).map(str).astype(object)


def _words_of(name: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.sub(r"[\W_]+", " ", apart).casefold().split()


def _reason_of_name(name: str) -> str | None:
    words = _words_of(name)
    kind = _kind_of_words(words, set(words), "".join(words))
    return f"its name says that it holds {kind}" if kind else None


def _kind_of_words(words: list[str], given: set[str], joined: str) -> str | None:
    if found := next((_ONE_WORD[word] for word in [*words, joined] if word in _ONE_WORD), None):
        return found
    if given & _NAMES and given & (_PERSONS | _NAME_PARTS) and not given & _THINGS:
        return "a person's name"
    if "birth" in given and given & _BIRTH:
        return "a date of birth"
    if given >= {"mobile", "number"}:
        return "a phone number"
    if given == {"zip"} or "zipcode" in joined or "postcode" in joined:
        return "a post code"
    if "record" in given and given & {"medical", "health", "hospital", "patient"}:
        return "a medical record number"
    if given & {"national", "insurance", "insured", "nhs", "tax", "hospital"} and given & _NUMBERS:
        return "a national, hospital or insurance number"
    if given >= {"social", "security"} or given >= {"driver", "license"}:
        return "a national id"
    if words and (words[-1] in ("path", "file") or given >= {"file", "name"}):
        return "a file path"
    return None
