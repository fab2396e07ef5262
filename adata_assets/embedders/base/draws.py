"""Random numbers that belong to cells: a function of seed, purpose and the cell's id alone.

Belongs here: draws that no chunk, order or other cell can change.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from adata_assets.rows.negatives import cell_keys

# Steele, Lea & Flood 2014 (doi:10.1145/2714064.2660195): splitmix64.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_STEPS = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)


def draw_uniform(
    sample_ids: Sequence[str] | np.ndarray, n_draws: int, *, seed: int, purpose: str
) -> np.ndarray:
    """Return numbers between 0 and 1, both excluded, float64 ``(n_obs, n_draws)``.

    Examples
    --------
    >>> both = draw_uniform(["a", "b"], 2, seed=0, purpose="doc")
    >>> bool((draw_uniform(["b"], 2, seed=0, purpose="doc") == both[1:]).all())
    True
    """
    digest = blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest()
    of_cell = _mix(cell_keys(list(sample_ids)) ^ np.uint64(int.from_bytes(digest, "little")))
    steps = np.arange(1, n_draws + 1, dtype=np.uint64) * _GOLDEN
    bits = _mix(of_cell[:, None] + steps)
    # 52 bits and a half: neither 0 nor 1 can come out.
    return ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def draw_normal(
    sample_ids: Sequence[str] | np.ndarray, n_draws: int, *, seed: int, purpose: str
) -> np.ndarray:
    """Return standard normal numbers, float64 ``(n_obs, n_draws)``."""
    from scipy.special import ndtri

    return np.asarray(ndtri(draw_uniform(sample_ids, n_draws, seed=seed, purpose=purpose)))


def _mix(bits: np.ndarray) -> np.ndarray:
    for shift, factor in _STEPS:
        bits = (bits ^ (bits >> shift)) * factor
    return bits ^ (bits >> np.uint64(31))
