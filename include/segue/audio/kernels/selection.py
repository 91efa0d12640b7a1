"""Find medians by counting the values below a limit. A counting pass handles a whole vector per instruction.

Floats of one sign have the same order as their bits. After a few passes over 2,600 values in the fastest cache,
only a few values are left between two limits, and these are sorted. This takes a fraction of the time of a
selection that moves values.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.kernels.compiled import compiled, inlined

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

_FEW: Final = 32
"""Number of values up to which sorting is faster than another pass."""

_MARGIN: Final = 1 / 32
"""Distance of a limit from the estimated median, as a share of the values. Two limits enclose the median."""

_INTERPOLATIONS: Final = 8
"""Number of interpolations. After them, bisection suits the distribution better. It takes at most 32 passes."""


def medians(series: Float32, *, upper: bool = False) -> Float32:
    """Find the median of each row.

    Parameters
    ----------
    series : np.ndarray [shape=(n_rows, n), dtype=float32]
        Finite values, at least one in each row.
    upper : bool
        For an even number of values, return the larger of the two in the middle instead of their mean.

    Returns
    -------
    np.ndarray [shape=(n_rows,), dtype=float32]
    """
    middles = np.empty((len(series), 2), np.int32)
    number = np.empty(1, np.float32)
    _find(np.ascontiguousarray(series).view(np.int32), number, number.view(np.int32), middles)
    smaller, larger = middles.view(np.float32).T
    return larger if upper or series.shape[1] % 2 else (smaller + larger) / np.float32(2)


@inlined
def _key(bits: Any) -> Any:
    """Convert the bits of a float to an integer with the same order, or back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@inlined
def _count_below(keys: Int32, limit: Any) -> Any:
    below, n = np.int32(limit), np.int32(0)
    for i in range(len(keys)):
        n += np.int32(keys[i] < below)
    return n


@inlined
def _sort_between(keys: Int32, low: Any, high: Any, few: Int32) -> None:
    """Sort the keys from ``low`` to ``high``."""
    n = 0
    for i in range(len(keys)):
        few[n] = keys[i]
        n += low <= keys[i] <= high
    for i in range(1, n):
        key, at = few[i], i
        while at > 0 and few[at - 1] > key:
            few[at] = few[at - 1]
            at -= 1
        few[at] = key


@compiled
def _find(bits: Int32, number: Float32, number_bits: Int32, middles: Int32) -> None:
    """Find the two values in the middle of each row. The smaller one is used only for even numbers."""
    n = bits.shape[1]
    rank = n // 2
    keys, few = np.empty(n, np.int32), np.empty(_FEW + 1, np.int32)
    for row in range(len(bits)):
        smallest, largest = np.int32(2**31 - 1), np.int32(-(2**31))
        for i in range(n):
            keys[i] = _key(bits[row, i])
            smallest, largest = min(smallest, keys[i]), max(largest, keys[i])
        low, high = np.int64(smallest), np.int64(largest)
        n_below, n_up_to, step = 0, n, 0
        while low < high and n_up_to - n_below > _FEW:
            limit = low + (high - low + 1) // 2
            if step < _INTERPOLATIONS:
                number_bits[0] = _key(low)
                start = np.float64(number[0])
                number_bits[0] = _key(high)
                share = (rank + 0.5 - n_below) / (n_up_to - n_below) + (_MARGIN if step % 2 else -_MARGIN)
                number[0] = start + share * (np.float64(number[0]) - start)
                limit = min(max(np.int64(_key(number_bits[0])), low + 1), high)
            step += 1
            count = _count_below(keys, limit)
            if count <= rank:
                low, n_below = limit, count
            else:
                high, n_up_to = limit - 1, count
        larger = smaller = low
        if low < high:
            _sort_between(keys, low, high, few)
            larger = np.int64(few[rank - n_below])
            smaller = np.int64(few[max(rank - n_below - 1, 0)])
        if n % 2 == 0 and n_below == rank:
            below = np.int32(-(2**31))
            for i in range(n):
                below = max(below, keys[i] if keys[i] < larger else below)
            smaller = np.int64(below)
        middles[row, 0] = _key(smaller)
        middles[row, 1] = _key(larger)
