"""Token dictionary and gene median dictionary: found, read, and found to fit each other.

Belongs here: from the published files, JSON or pickles, to arrays that a frozen model keeps. After
that the files are not needed any more.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adata_assets.artefact import hash_of
from adata_assets.embedders.base.plain_pickle import MAX_BYTES, read_plain_pickle
from adata_assets.embedders.rank_tokens.flavour import FLAVOURS, Flavour
from adata_assets.errors import InputError

TOKENS, MEDIANS = "token_dictionary", "gene_median_dictionary"
# In the order in which they are preferred.
SUFFIXES = (".json", ".json.gz", ".pkl", ".pickle")
_GZIP = b"\x1f\x8b"
# How pickles of dictionaries begin, from protocol 2, 0 and 1 on; no JSON text begins so.
_PICKLE = (b"\x80", b"(", b"}")
_N_NAMED = 3


@dataclass(frozen=True)
class RankDictionary:
    """Genes with their tokens and medians, by rising token.

    Attributes
    ----------
    gene_ids
        Ensembl ids, ``(n_genes,)``.
    token_ids
        int32 ``(n_genes,)``.
    medians
        Median of the non-zero values of each gene over the corpus, float64 ``(n_genes,)``.
    special
        Tokens that are no genes.
    """

    gene_ids: tuple[str, ...]
    token_ids: np.ndarray
    medians: np.ndarray
    special: Mapping[str, int]

    @property
    def n_tokens(self) -> int:
        """Size of the vocabulary, special tokens included."""
        return len(self.gene_ids) + len(self.special)

    @property
    def content_hash(self) -> str:
        """sha256 (hex) of what the dictionaries say, whatever format they came in."""
        genes = [self.gene_ids, self.token_ids.tolist(), self.medians.tolist()]
        return hash_of({"genes": genes, "special": dict(self.special)})


def find_dictionaries(folder: str, flavour: Flavour) -> tuple[Path, Path]:
    """Return the token dictionary and the median dictionary of a folder.

    Named as published, ``token_dictionary_gc95M.pkl`` and the like; JSON is preferred to a pickle.

    Raises
    ------
    InputError
        If one is not there: names the command that gets it.
    """
    place = Path(folder).expanduser()
    found = [_find(place, f"{stem}_{flavour.vocabulary}") for stem in (TOKENS, MEDIANS)]
    if found[0] is None or found[1] is None:
        names = [f"{stem}_{flavour.vocabulary}" for stem in (TOKENS, MEDIANS)]
        lacking = [name for name, path in zip(names, found, strict=True) if path is None]
        raise InputError(
            f"{flavour.method}: {folder!r} has no {lacking} ({', '.join(SUFFIXES)}); they come with "
            "the model. Get them: hf download ctheodoris/Geneformer --include '*_dictionary_gc*.pkl' "
            "--local-dir <folder>; name files that are called otherwise as dictionaries.tokens and "
            "dictionaries.medians"
        )
    return found[0], found[1]


def load_dictionary(tokens: Path, medians: Path, flavour: Flavour) -> RankDictionary:
    """Read the two dictionaries and require that they are of one release, and of the right one.

    Raises
    ------
    InputError
        If a file is unreadable, belongs to another generation, or the two do not fit.
    """
    token_of = {name: _whole(value, name, tokens) for name, value in _read(tokens).items()}
    _require_flavour(token_of, tokens, flavour)
    if sorted(token_of.values()) != list(range(len(token_of))):
        raise InputError(
            f"{tokens}: tokens are not 0 to {len(token_of) - 1}, each once: give the published file"
        )
    special = {name: token_of.pop(name) for name in flavour.special_tokens}
    gene_ids = tuple(sorted(token_of, key=token_of.__getitem__))
    median_of = _read(medians)
    if lacking := [gene for gene in gene_ids if gene not in median_of]:
        raise InputError(
            f"{medians} has no median for {len(lacking):,} of the {len(gene_ids):,} genes of "
            f"{tokens.name}, e.g. {lacking[:_N_NAMED]}: the two are not of one release; give the "
            f"{flavour.vocabulary} files"
        )
    values = [_positive(median_of[gene], gene, medians) for gene in gene_ids]
    ids = np.array([token_of[gene] for gene in gene_ids], dtype=np.int32)
    return RankDictionary(gene_ids, ids, np.array(values, dtype=np.float64), special)


def _find(folder: Path, stem: str) -> Path | None:
    candidates = (folder / f"{stem}{suffix}" for suffix in SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    found = _parse(_read_bytes(path), path)
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise InputError(f"{path} holds no dictionary of names: give the published file")
    return found


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            with gzip.open(path) as handle:
                # One byte more than is admitted, so that a larger file shows.
                content = handle.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}): fetch it again") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{path} has more than {MAX_BYTES:,} bytes: give the published dictionary")
    return content


def _parse(content: bytes, path: Path) -> Any:
    if content.startswith(_PICKLE):
        return read_plain_pickle(content, place=str(path))
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is neither JSON nor a pickle ({error}): give the published file"
        ) from error


def _require_flavour(token_of: Mapping[str, int], path: Path, flavour: Flavour) -> None:
    special = {name for name in token_of if name.startswith("<")}
    if special == set(flavour.special_tokens):
        return
    others = [f for f in FLAVOURS if set(f.special_tokens) == special]
    looks_like = f", as that of {others[0].vocabulary}" if others else ""
    way_out = f", or take method {others[0].method}" if others else ""
    raise InputError(
        f"{flavour.method}: {path} has the special tokens {sorted(special)}{looks_like}; that of "
        f"{flavour.vocabulary} has {sorted(flavour.special_tokens)}: give the "
        f"{flavour.vocabulary} dictionaries{way_out}"
    )


def _whole(value: Any, name: str, path: Path) -> int:
    # The published gc30M dictionary writes its tokens as 2.0, 3.0, …
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise InputError(f"{path}: the token of {name!r} is {value!r}; give the published file")
    return int(value)


def _positive(value: Any, gene: str, path: Path) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise InputError(
            f"{path}: the median of {gene!r} is {value!r}, which is no number above 0: give the "
            "published file"
        )
    return float(value)
