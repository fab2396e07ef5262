"""Whether the cells of a dataset were sequenced to two depths, told from their total counts.

Belongs here: one covariate, one question. Nothing is removed by it; its label can serve as batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

MIN_OBS = 100
# Above it two normal curves are apart (Ashman et al. 1994); skewness alone stays below.
MIN_SEPARATION = 2.0
MIN_WEIGHT = 0.1
# By so much, and by three standard errors, fewer cells must lie between the means than around one.
MIN_DIP = 0.1
# So many evenly spaced values of the sorted ones have the shape of them all.
_MAX_FITTED = 10_000
# Starting points: the best of several cuts of the sorted values into two parts.
_CUTS = (0.15, 0.3, 0.5, 0.7, 0.85)


@dataclass(frozen=True)
class DepthModes:
    """One depth or two.

    Attributes
    ----------
    label
        ``low`` or ``high`` for every cell with counts if there are two depths, else None; object,
        index of the counts.
    n_modes
        1, 2, or 0 where there are too few cells to tell.
    bic
        Bayesian information criterion of one and of two components (the smaller is the better),
        of at most 10,000 cells, evenly spaced by depth.
    means, weights
        Of the components that were chosen, lower first; means on the scale of log1p of counts.
    separation
        Ashman's D of the two-component fit, NaN without one.
    threshold
        Total counts from which on a cell is ``high``; None unless there are two depths.
    text
        A sentence for people.
    """

    label: pd.Series
    n_modes: int
    bic: dict[int, float]
    means: tuple[float, ...]
    weights: tuple[float, ...]
    separation: float
    threshold: float | None
    text: str


def find_depth_modes(n_counts: pd.Series, *, is_train: pd.Series, seed: int) -> DepthModes:
    """Fit one and two normal curves to log1p of the total counts of the train cells.

    Two depths are reported if the Bayesian information criterion (Schwarz 1978,
    doi:10.1214/aos/1176344136) prefers two, their means are apart by Ashman's
    ``D = |μ1 - μ2| / sqrt((σ1² + σ2²) / 2) > 2`` (Ashman et al. 1994, doi:10.1086/117248), each
    holds at least a tenth of the cells, and clearly fewer cells lie between them than around either.
    Cell types of very different size look the same as two sequencing depths: the label says which
    cells, the annotation must say why.

    Parameters
    ----------
    n_counts
        Total counts of every cell.
    is_train
        Which cells are learnt from; the threshold is then applied to all.
    seed
        Of the fit; the order of the cells does not matter.
    """
    logs = np.log1p(n_counts.to_numpy(dtype=np.float64))
    seen = np.sort(logs[is_train.to_numpy(dtype=bool) & (logs > 0)])
    # pandas would make NaN of a lone None.
    nothing = pd.Series(np.full(len(logs), None), index=n_counts.index, dtype=object)
    if len(seen) < MIN_OBS or seen[0] == seen[-1]:
        text = f"depth was not judged: {len(seen)} train cells are too few or all alike"
        return DepthModes(nothing, 0, {}, (), (), np.nan, None, text)
    if len(seen) > _MAX_FITTED:
        seen = seen[np.linspace(0, len(seen) - 1, _MAX_FITTED).round().astype(np.int64)]
    one, two = _fit(seen, 1, seed), _fit(seen, 2, seed)
    bic = {n: float(model.bic(seen[:, None])) for n, model in ((1, one), (2, two))}
    means, sds, weights = _components(two)
    separation = float(abs(means[1] - means[0]) / np.sqrt((sds**2).mean()))
    cut = _cut(seen, means, sds, weights)
    if cut is None or bic[2] >= bic[1] or separation <= MIN_SEPARATION or min(weights) < MIN_WEIGHT:
        text = _say_one(one, bic, separation, weights, has_valley=cut is not None)
        mean = (float(one.means_[0, 0]),)
        return DepthModes(nothing, 1, bic, mean, (1.0,), separation, None, text)
    label = np.where(logs >= cut, "high", "low").astype(object)
    label[~(logs > 0)] = None
    threshold = float(np.expm1(cut))
    text = (
        f"two depths: {weights[0]:.0%} of the train cells around {np.expm1(means[0]):,.0f} counts "
        f"and {weights[1]:.0%} around {np.expm1(means[1]):,.0f}, cut at {threshold:,.0f} (BIC "
        f"{bic[1]:,.0f} for one, {bic[2]:,.0f} for two; D {separation:.2f}). If these are "
        "batches and not cell types of different size, set keys.batch to depth_mode"
    )
    return DepthModes(
        pd.Series(label, index=n_counts.index, dtype=object),
        2,
        bic,
        tuple(float(mean) for mean in means),
        tuple(float(weight) for weight in weights),
        separation,
        threshold,
        text,
    )


def _fit(seen: np.ndarray, n_components: int, seed: int) -> GaussianMixture:
    """Return the likeliest of several fits; the starts are given, so nothing is drawn."""
    from sklearn.mixture import GaussianMixture

    fits = []
    for cut in _CUTS if n_components == 2 else (1.0,):
        at = int(cut * len(seen))
        parts = [seen[:at], seen[at:]][:n_components]
        model = GaussianMixture(
            n_components,
            weights_init=[len(part) / len(seen) for part in parts],
            means_init=[[part.mean()] for part in parts],
            precisions_init=[[[1 / max(part.var(), 1e-4)]] for part in parts],
            init_params="random_from_data",
            max_iter=500,
            random_state=seed,
        )
        fits.append(model.fit(seen[:, None]))
    return max(fits, key=lambda model: model.lower_bound_)


def _components(model: GaussianMixture) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    order = np.argsort(model.means_[:, 0])
    sds = np.sqrt(model.covariances_[:, 0, 0])
    return model.means_[order, 0], sds[order], model.weights_[order]


def _cut(seen: np.ndarray, means: np.ndarray, sds: np.ndarray, weights: np.ndarray) -> float | None:
    """Return where the components are equally likely, None if the cells show no valley there.

    Two curves also fit one flat or cut-off distribution well, so the cells themselves are counted
    around both means and at the lowest point between them.
    """
    grid = np.linspace(means[0], means[1], 2001)[:, None]
    curves = weights / sds * np.exp(-0.5 * ((grid - means) / sds) ** 2)
    lowest = grid[curves.sum(axis=1).argmin(), 0]
    half_width = (means[1] - means[0]) / 6
    n_low, n_between, n_high = (
        int((np.abs(seen - place) <= half_width).sum()) for place in (means[0], lowest, means[1])
    )
    n_peak = min(n_low, n_high)
    if n_peak - n_between < max(MIN_DIP * n_peak, 3 * np.sqrt(n_peak + n_between)):
        return None
    return float(grid[np.abs(curves[:, 0] - curves[:, 1]).argmin(), 0])


def _say_one(
    one: GaussianMixture,
    bic: dict[int, float],
    separation: float,
    weights: np.ndarray,
    *,
    has_valley: bool,
) -> str:
    valley = "" if has_valley else ", and no fewer cells between the two parts"
    return (
        f"one depth, around {np.expm1(one.means_[0, 0]):,.0f} counts (BIC {bic[1]:,.0f} for one, "
        f"{bic[2]:,.0f} for two; D {separation:.2f} where more than {MIN_SEPARATION:g} would be "
        f"apart, the smaller part holds {min(weights):.0%}{valley})"
    )
