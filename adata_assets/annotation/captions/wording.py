"""What the caption of each cell states, and its words.

Belongs here: captions given in the file and captions made from what is known of a cell. A caption
never states what is not known of the cell itself. Wordings are in ``templates``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from adata_assets.annotation.captions.templates import DEFAULT_TEMPLATE, NUCLEUS, TEMPLATES, render
from adata_assets.annotation.values import clean_values
from adata_assets.spec import Captions
from adata_assets.splitting.assign import seeded_keys

# In the order in which the first template states them.
FACT_FIELDS = (
    "cell_type",
    "tissue",
    "disease",
    "sex",
    "development_stage",
    "donor_age",
    "assay",
    "suspension_type",
)
# No disease is not a fact about a cell that a caption should claim.
UNSTATED = {"disease": frozenset(["normal", "healthy", "pato:0000461"])}
# Between values that belong to a whole study or to several donors: none is known of one cell.
STUDY_LEVEL = "||"
_COLUMNS = ("known_facts", "caption_facts", "caption_id", "caption_source")


def state_facts(
    known: pd.DataFrame, given: pd.Series | None, *, make_missing: bool, need_cell_type: bool
) -> pd.DataFrame:
    """Return what is known of every cell and what its caption states; no words yet.

    A value with ``||`` in it is that of a study, not of a cell, and counts as unknown. Of
    ``suspension_type`` only a nucleus is stated, and never alone.

    Parameters
    ----------
    known
        One column per field of ``FACT_FIELDS`` that the files have; str (as ``clean_values``
        returns it) or None.
    given
        Captions of the file, or None where it has no such column.
    make_missing
        Whether a cell without a given caption gets one made from what is known of it; where
        ``given`` is None, all captions are made.
    need_cell_type
        Whether a made caption must state the cell type.

    Returns
    -------
    Columns ``known_facts`` (JSON of all known fields), ``caption_facts`` (JSON of what the caption
    states; ``{}`` for a given one), ``caption_id`` (equal for captions that say the same),
    ``caption_source`` and ``given_caption`` (str or None); None where a cell has no caption.
    """
    stated = _state_distinct(known, need_cell_type=need_cell_type)
    stated["given_caption"] = np.full(len(known), None, dtype=object)
    if given is None:
        return stated
    texts = clean_values(given)
    if not make_missing:
        stated[list(_COLUMNS[1:])] = None
    is_given = texts.notna()
    assay = known["assay"][is_given] if "assay" in known else None
    ids = _ids_of_given(texts[is_given], assay)
    stated.loc[is_given, "caption_facts"] = "{}"
    stated.loc[is_given, "caption_id"] = ids
    stated.loc[is_given, "caption_source"] = "given"
    stated.loc[is_given, "given_caption"] = texts[is_given]
    return stated


def word_captions(
    stated: pd.DataFrame,
    *,
    sample_idx: pd.Series,
    split: pd.Series,
    rules: Captions,
    seed: int,
    assay: pd.Series | None,
) -> pd.DataFrame:
    """Return the caption of every cell in words.

    Parameters
    ----------
    stated
        What ``state_facts`` returned.
    sample_idx
        Ids of the cells: the template of a made caption is drawn by seed and id.
    split
        Split of each cell, None for a removed one. All templates are used in the splits
        ``rules.paraphrase``, the first one elsewhere.
    rules
        Of the dataset's spec.
    seed
        The dataset's seed.
    assay
        What a given caption is prefixed with, if the rules say so; str or None per cell.

    Returns
    -------
    Columns ``caption`` and ``caption_template`` (name of the template), str or None.
    """
    is_made = (stated["caption_source"] == "made").to_numpy(dtype=bool)
    names = np.array(list(TEMPLATES), dtype=object)
    template = np.full(len(stated), list(TEMPLATES).index(DEFAULT_TEMPLATE))
    is_free = is_made & split.isin(rules.paraphrase).to_numpy(dtype=bool)
    keys = seeded_keys(sample_idx[is_free], seed=seed, purpose="template")
    template[is_free] = (keys % np.uint64(len(names))).astype(np.int64)
    caption = stated["given_caption"].to_numpy(dtype=object, copy=True)
    if rules.instrument_prefix and assay is not None:
        caption = _prefix_assay(caption, assay.to_numpy(dtype=object))
    caption[is_made] = _word_distinct(stated["caption_facts"][is_made], template[is_made], names)
    words = np.where(is_made, names[template], None)
    return pd.DataFrame({"caption": caption, "caption_template": words}, index=stated.index)


def _state_distinct(known: pd.DataFrame, *, need_cell_type: bool) -> pd.DataFrame:
    fields = list(known.columns)
    distinct, row_of_cell = _distinct(known)
    rows = [
        _state(
            {f: v for f, v in zip(fields, row, strict=True) if v and STUDY_LEVEL not in v},
            need_cell_type=need_cell_type,
        )
        for row in distinct
    ]
    return pd.DataFrame(
        {
            name: np.array([row[i] for row in rows], dtype=object)[row_of_cell]
            for i, name in enumerate(_COLUMNS)
        },
        index=known.index,
    )


def _distinct(known: pd.DataFrame) -> tuple[list[tuple[str | None, ...]], np.ndarray]:
    """The different rows of a table of texts, and for every row the number of its own."""
    if known.columns.empty:
        return [()], np.zeros(len(known), np.int64)
    code = np.zeros(len(known), np.int64)
    for name in known:
        codes, values = pd.factorize(known[name])
        code = pd.factorize(code * (len(values) + 1) + codes + 1)[0]
    first = pd.Series(code).drop_duplicates().index
    values_of = known.iloc[first].astype(object).where(known.iloc[first].notna(), None)
    return list(values_of.itertuples(index=False, name=None)), code


def _state(facts: Mapping[str, str], *, need_cell_type: bool) -> tuple[str | None, ...]:
    stated = {field: value for field, value in facts.items() if _is_stated(field, value)}
    lacks = "cell_type" not in stated if need_cell_type else not stated.keys() - {"suspension_type"}
    if lacks:
        return (_as_json(facts), None, None, None)
    return (_as_json(facts), _as_json(stated), _hash(_as_json(stated)), "made")


def _is_stated(field: str, value: str) -> bool:
    # A captioned cell is called a cell anyway.
    if field == "suspension_type":
        return value.lower() in NUCLEUS
    return value.lower() not in UNSTATED.get(field, ())


def _ids_of_given(texts: pd.Series, assay: pd.Series | None) -> np.ndarray:
    """Hashes of given captions: case, punctuation and a prefix of the assay make no difference."""
    if assay is not None:
        texts = pd.Series(
            [_without_prefix(t, a) for t, a in zip(texts, assay, strict=True)], dtype=object
        )
    codes, distinct = pd.factorize(texts)
    ids = [_hash(" ".join(re.sub(r"[^\w+]+", " ", text.lower()).split())) for text in distinct]
    return np.array(ids, dtype=object)[codes]


def _prefix_assay(captions: np.ndarray, assays: np.ndarray) -> np.ndarray:
    prefixed = [
        f"{assay}: {_without_prefix(text, assay)}" if text and _is_of_one_cell(assay) else text
        for text, assay in zip(captions, assays, strict=True)
    ]
    return np.array(prefixed, dtype=object)


def _without_prefix(text: str, assay: str | None) -> str:
    """The caption without the prefix that it may already have."""
    if not _is_of_one_cell(assay) or not text.lower().startswith(f"{assay}:".lower()):
        return text
    return text[len(f"{assay}:") :].lstrip() or text


def _is_of_one_cell(assay: str | None) -> bool:
    return isinstance(assay, str) and STUDY_LEVEL not in assay


def _word_distinct(facts: pd.Series, template: np.ndarray, names: np.ndarray) -> np.ndarray:
    codes, distinct_facts = pd.factorize(facts)
    pairs, pair_of_cell = np.unique(codes * len(names) + template, return_inverse=True)
    read = [json.loads(text) for text in distinct_facts]
    texts = [render(names[pair % len(names)], read[pair // len(names)]) for pair in pairs]
    return np.array(texts, dtype=object)[pair_of_cell]


def _as_json(facts: Mapping[str, str]) -> str:
    return json.dumps(facts, sort_keys=True, ensure_ascii=False)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
