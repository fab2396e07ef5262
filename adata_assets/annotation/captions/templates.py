"""Wordings of captions: plain-text templates, and how they are filled with facts.

Belongs here: the texts, their small notation and the grammar of the words around a value. Which
facts a caption states is decided in ``captions``; ``caption_check`` reads captions back without
this code.

Notation: ``{field}`` is the value of a fact as it is. ``[…]`` stands only if a fact in it is
stated. ``<sep|a|b>`` lists those of its items whose fact is stated, with ``sep`` between them.
``{kind}`` names the cell by its type ("a T cell", "a nucleus of a …"), ``{unit}`` is "cell" or
"nucleus", ``{donor}`` is "a donor" with the sex; a capital letter begins a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

_DONOR = "{donor}[ (<, |{development_stage}|age {donor_age}>)]"
# The first is the one of splits without paraphrases. A name stays with its text for ever: stored
# captions refer to it.
TEMPLATES: dict[str, str] = {
    "t01": f"This is {{kind}}[ from {{tissue}}][ of {_DONOR}[ with {{disease}}]]"
    "[, measured with {assay}].",
    "t02": f"{{Kind}}[ from {{tissue}}][ of {_DONOR}[ with {{disease}}]][, profiled with {{assay}}].",
    "t03": f"The transcriptome of {{kind}}[, sampled from {{tissue}}][ of {_DONOR}[ with {{disease}}]]"
    "[, assay: {assay}].",
    "t04": "{Kind}[ found in {tissue}].[ The donor: <, |{sex}|{development_stage}|age {donor_age}"
    "|disease {disease}>.][ Measured with {assay}.]",
    "t05": f"[{{assay}} profile: ]{{Kind}}[ from {{tissue}}][ of {_DONOR}[ who has {{disease}}]].",
    "t06": "Gene expression of {kind}[, tissue: {tissue}][, disease: {disease}][, sex: {sex}]"
    "[, development stage: {development_stage}][, age: {donor_age}][, assay: {assay}].",
    "t07": "A single-{unit} measurement[ by {assay}] of {kind}[ from {tissue}]"
    f"[; {_DONOR}[ with {{disease}}]].",
    "t08": "Description of this {unit}[: <; |cell type {cell_type}|tissue {tissue}|disease {disease}"
    "|sex {sex}|development stage {development_stage}|age {donor_age}|assay {assay}>].",
    "t09": f"One {{unit}}[ annotated as {{cell_type}}][, taken from {{tissue}}][, from {_DONOR}"
    "[ with {disease}]][, obtained with {assay}].",
    "t10": "[Donor: <, |{sex}|{development_stage}|age {donor_age}|disease {disease}>. ]"
    "{Kind}[ from {tissue}][, measured with {assay}].",
    "t11": f"[Tissue: {{tissue}}. ]{{Kind}}[ of {_DONOR}[ affected by {{disease}}]]"
    "[, data from {assay}].",
    "t12": f"[Disease: {{disease}}. ]{{Kind}}[ in {{tissue}}][, from {_DONOR}]"
    "[, read out with {assay}].",
    "t13": "We measured {kind}[ from {tissue}][ using {assay}]"
    "[; the donor: <, |{sex}|{development_stage}|age {donor_age}|disease {disease}>].",
    "t14": f"RNA from {{kind}}[ in {{tissue}}][ of {_DONOR}[ with {{disease}}]]"
    "[, captured with {assay}].",
    "t15": "{Kind}[ (<, |{tissue}|{disease}|{sex}|{development_stage}|age {donor_age}|{assay}>)].",
    "t16": f"Cell profile[ (assay {{assay}})]: {{kind}}[, tissue {{tissue}}][, {_DONOR}]"
    "[, disease {disease}].",
    "t17": f"Here we see {{kind}}[ that comes from {{tissue}}][ of {_DONOR}"
    "[ having {disease}]][, as measured with {assay}].",
    "t18": "[In {tissue}: ]{Kind}[; donor <, |{sex}|{development_stage}|age {donor_age}>]"
    "[; disease {disease}][; assay {assay}].",
    "t19": f"[From {_DONOR}[ with {{disease}}]: ]{{Kind}}[ located in {{tissue}}]"
    "[, assayed by {assay}].",
    "t20": f"The {{unit}} in this row: {{kind}}[, isolated from {{tissue}}][ of {_DONOR}"
    "[ with {disease}]][, using {assay}].",
    "t21": "Expression data[ generated with {assay}]: {kind}[ from {tissue}]"
    "[. Disease of the donor: {disease}]"
    "[. About the donor: <, |{sex}|{development_stage}|age {donor_age}>].",
    "t22": "{Kind}.[ Tissue of origin: {tissue}.][ Condition: {disease}.][ Sex: {sex}.]"
    "[ Stage: {development_stage}.][ Age: {donor_age}.][ Technology: {assay}.]",
    "t23": f"These are the genes of {{kind}}[, collected from {{tissue}}][ of {_DONOR}"
    "[ with {disease}]][, determined by {assay}].",
    "t24": "Sample description: {kind}[; origin {tissue}][; condition {disease}][; {sex}]"
    "[; {development_stage}][; age {donor_age}][; {assay}].",
}
DEFAULT_TEMPLATE = next(iter(TEMPLATES))

NUCLEUS = frozenset(["nucleus", "nuclei"])
# Words that name a cell by themselves; where a label has none of them "cell" is added.
_CELL_NOUN = (
    r"(?:cell|cyte|blast|clast|phage|phil|phore|neuron|platelet|glia|gonium|spermatid|fiber|fibre"
    r"|progenitor|precursor|nucleus)"
)
_NAMES_A_CELL = re.compile(rf"{_CELL_NOUN}(?![^\W\d_])", re.IGNORECASE)
_PLURAL = re.compile(
    rf"{_CELL_NOUN}s(?![^\W\d_])|[^\W\d_]{{2,}}(?<!s)(?<!u)(?<!i)s$", re.IGNORECASE
)
_VOWEL_SOUND = re.compile(
    # silent h; numbers read "eight", "eleven", "eighteen"; Greek letters with a vowel first
    r"hour|honest|heir|8|1[18](?!\d)|[αεηιουω]"
    # vowels, but not "one", "eu…", "ewe", "ure…", "uni…" (except "unidentified" and the like)
    r"|[aio](?<!o(?=ne(?![a-z])))|e(?![uw])"
    r"|u(?!ni(?!n[^u]|dent|mp|mm)|[bcfgkmrtv][aeiou]|s[aeiu])"
)
# Letters whose names begin with a vowel: "an NK cell", "an FCGR3A+ monocyte".
_VOWEL_NAMES = frozenset("AEFHILMNORSX")


@dataclass(frozen=True)
class Slot:
    """A place for a value or for words about it."""

    name: str


@dataclass(frozen=True)
class IfStated:
    """Parts that stand only if one of their facts is stated."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Listing:
    """Items of which those with a stated fact are listed."""

    separator: str
    items: tuple[tuple[Part, ...], ...]


Part = str | Slot | IfStated | Listing


def render(template: str, facts: Mapping[str, str]) -> str:
    """Fill a template.

    Parameters
    ----------
    template
        A name in ``TEMPLATES``.
    facts
        What is to be stated: field to value, all of them fields of the template.

    Examples
    --------
    >>> render("t01", {"cell_type": "NK", "tissue": "blood", "sex": "male", "assay": "10x 3' v3"})
    "This is an NK cell from blood of a male donor, measured with 10x 3' v3."
    >>> render("t01", {"tissue": "heart", "suspension_type": "nucleus"})
    'This is a nucleus from heart.'
    """
    return _fill(_parse(TEMPLATES[template]), facts)


def name_kind(facts: Mapping[str, str]) -> str:
    """Return the cell as a noun with its article.

    Examples
    --------
    >>> name_kind({"cell_type": "T"}), name_kind({"cell_type": "fibroblast"})
    ('a T cell', 'a fibroblast')
    >>> name_kind({"cell_type": "Macrophages"}), name_kind({})
    ('a cell of the type Macrophages', 'a cell')
    >>> name_kind({"cell_type": "adipocyte", "suspension_type": "nucleus"})
    'a nucleus of an adipocyte'
    """
    unit, label = name_unit(facts), facts.get("cell_type")
    if label is None:
        return f"a {unit}"
    if _PLURAL.search(label):
        return f"a {unit} of the type {label}"
    noun = f"{article(label)} {label}" + ("" if _NAMES_A_CELL.search(label) else " cell")
    return noun if unit == "cell" else f"a nucleus of {noun}"


def name_unit(facts: Mapping[str, str]) -> str:
    """Return what was measured, ``cell`` or ``nucleus``."""
    return "nucleus" if facts.get("suspension_type", "").lower() in NUCLEUS else "cell"


def article(noun: str) -> str:
    """Return the indefinite article of a noun, by the sound of its first word.

    Examples
    --------
    >>> [article(noun) for noun in ("unipotent cell", "unidentified cell", "NK", "CD4+ T", "MAIT")]
    ['a', 'an', 'an', 'a', 'a']
    >>> [article(noun) for noun in ("8-cell embryo", "mDC", "pDC", "alveolar", "eukaryotic")]
    ['an', 'an', 'a', 'an', 'a']
    """
    plain = unicodedata.normalize("NFD", noun[:100])
    word = re.search(r"\d+|[^\W\d_]+", plain)
    text = word[0] if word else ""
    if _is_spelled(text):
        return "an" if text[0].upper() in _VOWEL_NAMES else "a"
    return "an" if _VOWEL_SOUND.match(text.lower()) else "a"


def _is_spelled(word: str) -> bool:
    """Whether a word is read letter by letter: "NK", "mDC", but not "MAIT"."""
    is_acronym = len(word) == 1 or word[1:] != word[1:].lower()
    if not (is_acronym and word.isascii() and word.isalpha()):
        return False
    is_pronounceable = len(word) >= 4 and word.isupper() and re.search("[AEIOU]", word[1:])
    return not is_pronounceable


def _fill(parts: tuple[Part, ...], facts: Mapping[str, str]) -> str:
    return "".join(_fill_part(part, facts) for part in parts)


def _fill_part(part: Part, facts: Mapping[str, str]) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Slot):
        text = _fill_slot(part.name.lower(), facts)
        return text if part.name.islower() else text[:1].upper() + text[1:]
    if isinstance(part, IfStated):
        return _fill(part.parts, facts) if _is_stated(part.parts, facts) else ""
    stated = (item for item in part.items if _is_stated(item, facts))
    return part.separator.join(_fill(item, facts) for item in stated)


def _fill_slot(name: str, facts: Mapping[str, str]) -> str:
    if name == "kind":
        return name_kind(facts)
    if name == "unit":
        return name_unit(facts)
    if name == "donor":
        sex = facts.get("sex")
        return f"{article(sex)} {sex} donor" if sex else "a donor"
    return facts[name]


def _is_stated(parts: tuple[Part, ...], facts: Mapping[str, str]) -> bool:
    return any(field in facts for field in _fields_of(parts))


def _fields_of(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Slot):
            yield "sex" if part.name == "donor" else part.name
        elif isinstance(part, IfStated):
            yield from _fields_of(part.parts)
        elif isinstance(part, Listing):
            yield from (field for item in part.items for field in _fields_of(item))


@cache
def _parse(template: str) -> tuple[Part, ...]:
    tokens = iter(re.findall(r"[\[\]<>|]|\{\w+\}|[^\[\]<>|{}]+", template))
    return _parse_until(tokens, "")[0]


def _parse_until(tokens: Iterator[str], ends: str) -> tuple[tuple[Part, ...], str]:
    """The parts up to one of the characters ``ends``, and that character."""
    parts: list[Part] = []
    for token in tokens:
        if token in ends:
            return tuple(parts), token
        if token == "[":
            parts.append(IfStated(_parse_until(tokens, "]")[0]))
        elif token == "<":
            parts.append(_parse_listing(tokens))
        else:
            parts.append(Slot(token[1:-1]) if token[0] == "{" else token)
    return tuple(parts), ""


def _parse_listing(tokens: Iterator[str]) -> Listing:
    separator, end = _parse_until(tokens, "|")
    items = []
    while end == "|":
        item, end = _parse_until(tokens, ">|")
        items.append(item)
    return Listing("".join(map(str, separator)), tuple(items))
