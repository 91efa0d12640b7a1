"""Compute the seven statistics of each series over time."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.kernels.compiled import summing
from segue.audio.kernels.selection import medians

_RELATIVE_NOISE: Final = 1e-6
"""Share of the family's largest value. A smaller standard deviation is rounding error: the series is constant."""


def statistics(series: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the statistics of each row of a family.

    Parameters
    ----------
    series : np.ndarray [shape=(n_rows, n_frames), dtype=float32]
        Any number of series, with at least one frame.

    Returns
    -------
    np.ndarray [shape=(7, n_rows), dtype=float32]
        In the order of `definition.STATISTICS`. Standard deviation, skew and kurtosis are those of the population.
        Kurtosis is Fisher's, which is 0 for a normal distribution.
    """
    series = np.ascontiguousarray(series)
    out = np.empty((7, len(series)), np.float32)
    _moments(series, _RELATIVE_NOISE * float(np.abs(series).max()), out)
    out[3] = medians(series)
    return out


@summing
def _moments(series: NDArray[np.float32], noise: float, out: NDArray[np.float32]) -> None:
    n = series.shape[1]
    for row in range(len(series)):
        x = series[row]
        smallest = largest = x[0]
        total = 0.0
        for i in range(n):
            total += x[i]
            smallest = min(smallest, x[i])
            largest = max(largest, x[i])
        mean = total / n
        second = third = fourth = 0.0
        for i in range(n):
            d = x[i] - mean
            square = d * d
            second += square
            third += square * d
            fourth += square * square
        variance = second / n
        deviation = np.sqrt(variance)
        if deviation <= noise:
            deviation, skew, kurtosis = 0.0, 0.0, -3.0
        else:
            skew = third / n / (variance * deviation)
            kurtosis = fourth / n / (variance * variance) - 3.0
        out[0, row] = kurtosis
        out[1, row] = largest
        out[2, row] = mean
        out[4, row] = smallest
        out[5, row] = skew
        out[6, row] = deviation
