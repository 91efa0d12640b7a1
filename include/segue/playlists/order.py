"""Order tracks by sound: short steps from each track to the next, and paths between two tracks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.floating[Any]]
Angles = NDArray[np.float64]

LEAST_GAIN = 1e-9
"""A change of the order that shortens it by less, in radians, is only a rounding error."""


def angles(vectors: Vectors) -> Angles:
    """Return the angle between each two places, in radians.

    Parameters
    ----------
    vectors : ndarray of float, shape (n_tracks, n_dimensions)
        Rows of length 1. A row of length 0 is at a right angle to all others.

    Returns
    -------
    ndarray of float64, shape (n_tracks, n_tracks)
    """
    wide = np.asarray(vectors, dtype=np.float64)
    found = np.arccos(np.clip(wide @ wide.T, -1, 1))
    np.fill_diagonal(found, 0)
    return found


def length(order: list[int], apart: Angles) -> float:
    """Return the sum of the steps of an order, in radians."""
    return float(apart[order[:-1], order[1:]].sum())


def smooth(apart: Angles, first: int | None = None) -> list[int]:
    """Order tracks so that neighbours sound alike.

    The order begins as a walk to the nearest track that is left. Then parts of it are reversed as long as this
    shortens it (2-opt).

    Parameters
    ----------
    apart : ndarray of float64, shape (n_tracks, n_tracks)
        From `angles`.
    first : int, optional
        The track to begin with. Default: the one that is farthest from all others.

    Returns
    -------
    list of int
        Each track once.
    """
    count = len(apart)
    if count == 0:
        return []
    order = [int(apart.sum(axis=1).argmax()) if first is None else first]
    left = np.ones(count, dtype=bool)
    left[order[0]] = False
    while len(order) < count:
        order.append(int(np.where(left, apart[order[-1]], np.inf).argmin()))
        left[order[-1]] = False
    return [int(at) for at in _shortened(np.array(order), apart)]


def _shortened(order: NDArray[np.intp], apart: Angles) -> NDArray[np.intp]:
    """Reverse the part whose reversal shortens the order most, until none does. The first track stays."""
    count = len(order)
    upper = np.triu(np.ones((count, count), dtype=bool))[1:]
    while count > 2:
        between = apart[np.ix_(order, order)]
        steps = np.append(np.diagonal(between, 1), 0)  # the last track has no step after it
        joined = np.zeros((count, count))
        joined[1:, :-1] = between[1:, 1:]  # from the first track of the part to the one after the part
        # Reversing the part from i to j replaces the steps before and after it.
        gain = steps[:-1, None] + steps[None, :] - between[:-1, :] - joined[1:, :]
        gain[~upper] = -np.inf
        at, last = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[at, last] < LEAST_GAIN:
            break
        begin = int(at) + 1
        order[begin : int(last) + 1] = order[begin : int(last) + 1][::-1].copy()
    return order


def path(apart: Angles, most: int) -> list[int]:
    """Find the path from the first to the last track whose steps are small.

    The sum of the squared steps is minimised. So many small steps are better than a few large ones.

    Parameters
    ----------
    apart : ndarray of float64, shape (n_tracks, n_tracks)
        At least two tracks.
    most : int
        Largest number of tracks on the path, ends included; at least 2.

    Returns
    -------
    list of int
        Begins with 0 and ends with the last track. No track comes twice.
    """
    cost = apart**2
    np.fill_diagonal(cost, np.inf)
    costs, before = cost[0], []
    best, steps = costs[-1], 1
    for taken in range(2, most):
        total = costs[:, None] + cost
        total[-1] = np.inf  # a path ends when it arrives
        before.append(total.argmin(axis=0))
        costs = total.min(axis=0)
        costs[0] = np.inf
        if costs[-1] < best:
            best, steps = costs[-1], taken
    found = [len(apart) - 1]
    for taken in range(steps - 2, -1, -1):
        found.append(int(before[taken][found[-1]]))
    return [0, *reversed(found)]
