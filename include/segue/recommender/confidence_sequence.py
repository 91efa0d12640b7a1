"""Bounds of a ratio that hold at all looks together, for sums that grow between the looks.

They are the asymptotic confidence sequence of Waudby-Smith et al. (2021, arXiv:2103.06476) with the one-sided
mixture of Robbins (1970).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

TIGHTEST = 18
"""The bounds are narrowest, compared with those of a single look, at some three times as many observations."""


def deviations(observations: float, error: float) -> float:
    """Return how many standard deviations a bound is away.

    Parameters
    ----------
    observations : float
        How much has been observed. It grows from look to look.
    error : float
        Probability that the bound is ever wrong.
    """
    size = max(observations, 1.0) / TIGHTEST
    return float(np.sqrt(2 * (size + 1) / size * np.log1p(np.sqrt(size + 1) / (2 * error))))


def of_few(away: float, clusters: int) -> float:
    """Return how many deviations away a bound is if they are estimated from few clusters (Student's t)."""
    return float(-special.stdtrit(max(clusters - 1, 1), special.ndtr(-away)))


def clusters_of(gained: NDArray[np.float64], amount: NDArray[np.float64]) -> int:
    """Count the clusters in which anything was observed."""
    return int(((gained != 0) | (amount != 0)).sum())


def bounds(
    gained: NDArray[np.float64], amount: NDArray[np.float64], *, away: float, fewest: int
) -> tuple[float, float, float]:
    """Estimate the ratio of two sums over independent clusters, with its bounds.

    Parameters
    ----------
    gained, amount : ndarray, shape (n_clusters,)
        The sums of each cluster. Clusters in which both are 0 do not count.
    away : float
        How many standard deviations the bounds are away: see :func:`deviations`.
    fewest : int
        With fewer clusters the bounds are infinite.

    Returns
    -------
    tuple of float
        The ratio and its bounds. The ratio is 0 if nothing is known.
    """
    total, count = amount.sum(), clusters_of(gained, amount)
    ratio = float(gained.sum() / total) if total > 0 else 0.0
    if count < fewest or total <= 0:
        return ratio, -np.inf, np.inf
    apart = gained - ratio * amount
    width = away * float(np.sqrt((apart**2).sum() * count / (count - 1)) / total)
    return ratio, ratio - width, ratio + width
