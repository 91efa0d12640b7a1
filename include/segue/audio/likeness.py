"""Tell from their features whether two tracks are the same sound, encoded or cut differently."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import COLUMNS

MEANS: Final = np.array([i for i, (_, statistic, _) in enumerate(COLUMNS) if statistic == "mean"])
DEVIATIONS: Final = np.array([i for i, (_, statistic, _) in enumerate(COLUMNS) if statistic == "std"])

ROUNDING: Final = 1e-3
"""Smallest deviation that counts, as a share of the mean. A series that does not vary would have none."""

QUANTILE: Final = 0.9
SAME_SOUND: Final = 0.15


def distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Measure how much the sounds of pairs of tracks differ.

    For each of the 74 series over time, the difference of the means is divided by the deviation within the tracks
    (Cohen's d), and the deviations are compared by the logarithm of their ratio. So the measure has no unit, and
    needs no other tracks.

    Parameters
    ----------
    one, other : ndarray of float32, shape (n_pairs, 518)
        Features of the tracks of each pair.

    Returns
    -------
    ndarray of float64, shape (n_pairs,)
    """
    means, deviations = _series(one, other, MEANS), _series(one, other, DEVIATIONS)
    least = ROUNDING * np.abs(means).max(axis=0) + np.finfo(np.float32).tiny
    spread = np.maximum(np.sqrt((deviations**2).mean(axis=0)), least)
    effects = np.abs(means[0] - means[1]) / spread
    ratios = np.abs(np.log(np.maximum(deviations[0], least) / np.maximum(deviations[1], least)))
    return np.asarray(np.quantile(np.concatenate([effects, ratios], axis=1), QUANTILE, axis=1))


def _series(one: NDArray[np.float32], other: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[Any]:
    return np.stack([one[:, positions], other[:, positions]]).astype(np.float64)
