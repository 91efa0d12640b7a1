"""Bounds of a ratio that hold at all looks together, for sums that grow between the looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TIGHTEST = 18
"""The bounds are tight from some three times as many clusters on."""


def bounds(
    gained: NDArray[np.float64], amount: NDArray[np.float64], *, error: float, fewest: int
) -> tuple[float, float, float]:
    """Estimate the ratio of two sums over independent clusters, with bounds for any number of looks.

    The bounds are the asymptotic confidence sequence of Waudby-Smith et al. (2021, arXiv:2103.06476) with the
    one-sided mixture of Robbins (1970).

    Parameters
    ----------
    gained, amount : ndarray, shape (n_clusters,)
        The sums of each cluster. Clusters in which both are 0 do not count.
    error : float
        Probability that the lower bound is ever too high. The upper bound has the same.
    fewest : int
        With fewer clusters the bounds are infinite.

    Returns
    -------
    tuple of float
        The ratio and its bounds. The ratio is 0 if nothing is known.
    """
    total = amount.sum()
    there = (amount != 0) | (gained != 0)
    count = int(there.sum())
    ratio = float(gained.sum() / total) if total > 0 else 0.0
    if count < fewest or total <= 0:
        return ratio, -np.inf, np.inf
    apart = (gained - ratio * amount)[there]
    deviation = np.sqrt((apart**2).sum() * count / (count - 1)) / total
    size = count / TIGHTEST
    width = deviation * np.sqrt(2 * (size + 1) / size * np.log1p(np.sqrt(size + 1) / (2 * error)))
    return ratio, ratio - float(width), ratio + float(width)
