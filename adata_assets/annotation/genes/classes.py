"""What a feature is by its name, where no table knows it: virus, spike-in, antibody, transgene.

Belongs here: patterns of names. They are looked at only for names that are no gene symbol.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

FEATURE_CLASSES = ("gene", "viral", "antibody", "spike_in", "other")

_SPIKE_IN = r"ERCC-\d{5}(?: .*)?|Spike-?\d+|(?:SIRV|Sequin).*"
_VIRAL = (
    r"nCoV.*|(?:.*[ _-])?SARS[-_ ]?CoV.*|2019-nCoV.*|covid-?19.*|MN908947.*|NC_045512.*|gu280.*"
    r"|ORF(?:1ab|1a|3a|6|7a|7b|8|10)|HIV-?[12]?(?:[_-].*)?|HXB2.*|SIV(?:mac.*)?"
    r"|(?:EBV|HCMV|CMV|HHV-?\d|HSV-?[12]|KSHV|HBV|HCV|HTLV-?1|HPV-?\d*|IAV|RSV|DENV|ZIKV)(?:[_-].*)?"
    r"|.*virus.*|Influenza.*"
)
_ANTIBODY = (
    r".*TotalSeq.*|(?:ADT|AB|anti|prot|HTO|CITE)[_-].*|.*[_-](?:ADT|prot|CITE|pAb)"
    r"|HTO\d*|Hashtag.*|.*[_-]HTO"
)
_TRANSGENE = (
    r"(?:E?GFP|[EV]?YFP|E?CFP|E?RFP|[EM]?BFP)(?:\d*|[_-].*)|ZsGreen\d*|td-?Tomato.*|tdT|mCherry.*"
    r"|DsRed.*|i?Cre(?:-?ERT?\d?)?|Flpo?|r?tTA\d?|LacZ|Luc(?:iferase|2)?|WPRE|NeoR?|PuroR?|HygR?|BlastR?"
    r"|d?Cas(?:9|12a|13).*|IRES|.*transgene.*"
)
_GUIDE_OR_PEAK = (
    r".*[_-]?(?:sg|g)RNA(?:[_-].*)?|(?:chr)?[\dXYM]{1,2}[:_-]\d+[_-]\d+|chr\w+[:-]\d+-\d+"
)
_PATTERNS = {
    "spike_in": _SPIKE_IN,
    "viral": _VIRAL,
    "antibody": _ANTIBODY,
    "other": f"{_TRANSGENE}|{_GUIDE_OR_PEAK}",
}
# One expression: the first class that fits; five would take five times as long.
_FOREIGN = re.compile(
    "|".join(rf"(?P<{name}>(?:{pattern})\Z)" for name, pattern in _PATTERNS.items()), re.IGNORECASE
)
_OF_SARS_COV_2 = frozenset({"S", "E", "M", "N"})


def find_foreign(names: pd.Series) -> pd.Series:
    """Return the class that a name stands for; None where it could be a gene.

    Parameters
    ----------
    names
        str or None.

    Examples
    --------
    >>> find_foreign(pd.Series(["nCoV", "ERCC-00002", "HTO-3", "tdTomato", "HIVEP1"])).tolist()
    ['viral', 'spike_in', 'antibody', 'other', None]
    """
    unique = {name: _class_of(name) for name in names.dropna().unique()}
    # Single letters are genes of the virus only where it stands beside them.
    if "orf1ab" in {name.lower() for name in unique}:
        unique |= {name: "viral" for name in unique if name in _OF_SARS_COV_2}
    classes = [None if name is None else unique[name] for name in names]
    return pd.Series(classes, index=names.index, dtype=object)


def _class_of(name: str) -> str | None:
    found = _FOREIGN.match(name)
    return found.lastgroup if found else None


def classify(
    features: pd.DataFrame, foreign: pd.Series, *, is_in_table: np.ndarray, prefix: str | None
) -> pd.Series:
    """Return the feature class of every feature.

    What the file declares to be no gene is none; then anything that has an id in the table is a
    gene; then names speak; what nothing speaks against is a gene.

    Parameters
    ----------
    features
        Of ``read_features``.
    foreign
        Of ``find_foreign``.
    is_in_table
        bool: the feature has an id of the species' table.
    prefix
        Of the species' Ensembl ids; ids with another one are features of another organism. None:
        any.
    """
    nameless = features[["ensembl", "own_id", "own_name", "symbol"]].isna().all(axis=1)
    alien = features["ensembl"].notna() & features["prefix"].ne(prefix) & (prefix is not None)
    classes = foreign.where(foreign.notna(), "gene").mask(nameless | alien, "other")
    # Ensembl's ids of SARS-CoV-2.
    classes = classes.mask(features["prefix"].eq("ENSSASG"), "viral").mask(is_in_table, "gene")
    declared = features["declared"]
    return classes.mask(declared.notna() & declared.ne("gene"), declared).astype(object)
