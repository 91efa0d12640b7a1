"""Means of the smallest and largest magnitudes in octave bands, for 16 frames at once.

16 magnitudes at a time are sorted in registers, then merged into sorted lists of the smallest and largest so far.
Both use Batcher's bitonic networks, which do not branch on data. Short lists, and bins that do not fill a group of
16, use insertion.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.kernels.banks import Bands
from segue.audio.kernels.compiled import compiled, inlined
from segue.audio.kernels.stft import LANES, aligned

Float32 = NDArray[np.float32]

_SHORT: Final = 4
_LONG: Final = 16
_LONGEST: Final = 32
_LOW: Final = 0
_HIGH: Final = _LONGEST * LANES
_GROUP: Final = 2 * _LONGEST * LANES
_ABOVE_ALL: Final = np.float32(3e38)
_BELOW_ALL: Final = np.float32(-1)


def workspace() -> Float32:
    """Allocate the working memory of `extremes`."""
    return aligned(_GROUP + 16 * LANES)


@inlined
def _order(a: Any, b: Any) -> Any:
    return (a, b) if a < b else (b, a)


@inlined
def _bitonic4(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Sort values that rise and then fall. The larger networks do the same by halves."""
    a, c = _order(a, c)
    b, d = _order(b, d)
    return _order(a, b) + _order(c, d)


@inlined
def _bitonic8(x: Any) -> Any:
    a, e = _order(x[0], x[4])
    b, f = _order(x[1], x[5])
    c, g = _order(x[2], x[6])
    d, h = _order(x[3], x[7])
    return _bitonic4(a, b, c, d) + _bitonic4(e, f, g, h)


@inlined
def _bitonic16(x: Any) -> Any:
    a, i = _order(x[0], x[8])
    b, j = _order(x[1], x[9])
    c, k = _order(x[2], x[10])
    d, m = _order(x[3], x[11])
    e, n = _order(x[4], x[12])
    f, o = _order(x[5], x[13])
    g, p = _order(x[6], x[14])
    h, q = _order(x[7], x[15])
    return _bitonic8((a, b, c, d, e, f, g, h)) + _bitonic8((i, j, k, m, n, o, p, q))


@inlined
def _sort4(a: Any, b: Any, c: Any, d: Any) -> Any:
    a, b = _order(a, b)
    d, c = _order(c, d)
    return _bitonic4(a, b, c, d)


@inlined
def _sort8(x: Any) -> Any:
    return _bitonic8(_sort4(x[0], x[1], x[2], x[3]) + _sort4(x[4], x[5], x[6], x[7])[::-1])


@inlined
def _sort16(x: Any) -> Any:
    return _bitonic16(_sort8(x[:8]) + _sort8(x[8:])[::-1])


@inlined
def _rows4(values: Float32, at: int) -> Any:
    return values[at], values[at + LANES], values[at + 2 * LANES], values[at + 3 * LANES]


@inlined
def _rows16(values: Float32, at: int) -> Any:
    """Read one lane of 16 rows."""
    return (
        _rows4(values, at)
        + _rows4(values, at + 4 * LANES)
        + _rows4(values, at + 8 * LANES)
        + _rows4(values, at + 12 * LANES)
    )


@inlined
def _write16(values: Float32, at: int, x: Any) -> None:
    """Write one lane of 16 rows."""
    values[at + 0 * LANES] = x[0]
    values[at + 1 * LANES] = x[1]
    values[at + 2 * LANES] = x[2]
    values[at + 3 * LANES] = x[3]
    values[at + 4 * LANES] = x[4]
    values[at + 5 * LANES] = x[5]
    values[at + 6 * LANES] = x[6]
    values[at + 7 * LANES] = x[7]
    values[at + 8 * LANES] = x[8]
    values[at + 9 * LANES] = x[9]
    values[at + 10 * LANES] = x[10]
    values[at + 11 * LANES] = x[11]
    values[at + 12 * LANES] = x[12]
    values[at + 13 * LANES] = x[13]
    values[at + 14 * LANES] = x[14]
    values[at + 15 * LANES] = x[15]


@inlined
def _smaller(x: Any, y: Any) -> Any:
    return (
        x[0] if x[0] < y[0] else y[0],
        x[1] if x[1] < y[1] else y[1],
        x[2] if x[2] < y[2] else y[2],
        x[3] if x[3] < y[3] else y[3],
        x[4] if x[4] < y[4] else y[4],
        x[5] if x[5] < y[5] else y[5],
        x[6] if x[6] < y[6] else y[6],
        x[7] if x[7] < y[7] else y[7],
        x[8] if x[8] < y[8] else y[8],
        x[9] if x[9] < y[9] else y[9],
        x[10] if x[10] < y[10] else y[10],
        x[11] if x[11] < y[11] else y[11],
        x[12] if x[12] < y[12] else y[12],
        x[13] if x[13] < y[13] else y[13],
        x[14] if x[14] < y[14] else y[14],
        x[15] if x[15] < y[15] else y[15],
    )


@inlined
def _larger(x: Any, y: Any) -> Any:
    return (
        x[0] if x[0] > y[0] else y[0],
        x[1] if x[1] > y[1] else y[1],
        x[2] if x[2] > y[2] else y[2],
        x[3] if x[3] > y[3] else y[3],
        x[4] if x[4] > y[4] else y[4],
        x[5] if x[5] > y[5] else y[5],
        x[6] if x[6] > y[6] else y[6],
        x[7] if x[7] > y[7] else y[7],
        x[8] if x[8] > y[8] else y[8],
        x[9] if x[9] > y[9] else y[9],
        x[10] if x[10] > y[10] else y[10],
        x[11] if x[11] > y[11] else y[11],
        x[12] if x[12] > y[12] else y[12],
        x[13] if x[13] > y[13] else y[13],
        x[14] if x[14] > y[14] else y[14],
        x[15] if x[15] > y[15] else y[15],
    )


@inlined
def _absorb(lists: Float32, magnitude: Float32, size: int) -> None:
    """Merge 16 bins into lists of 16 or 32. The bins are sorted in falling order, the lists in rising order."""
    last = (size - 16) * LANES
    for lane in range(LANES):
        _write16(lists, _GROUP + lane, _sort16(_rows16(magnitude, lane))[::-1])
    for lane in range(LANES):
        low = _smaller(_rows16(lists, _LOW + last + lane), _rows16(lists, _GROUP + lane))
        if size == _LONGEST:
            rows = _rows16(lists, _LOW + lane)
            _write16(lists, _LOW + lane, _bitonic16(_smaller(rows, low)))
            low = _larger(rows, low)
        _write16(lists, _LOW + last + lane, _bitonic16(low))
    for lane in range(LANES):
        high = _larger(_rows16(lists, _HIGH + lane), _rows16(lists, _GROUP + lane))
        if size == _LONGEST:
            rows = _rows16(lists, _HIGH + last + lane)
            _write16(lists, _HIGH + last + lane, _bitonic16(_larger(rows, high)))
            high = _smaller(rows, high)
        _write16(lists, _HIGH + lane, _bitonic16(high))


@inlined
def _insert(lists: Float32, magnitude: Float32, size: int) -> None:
    """Insert one bin into the lists."""
    for lane in range(LANES):
        u = v = magnitude[lane]
        for i in range(size):
            lists[_LOW + i * LANES + lane], u = _order(lists[_LOW + i * LANES + lane], u)
            v, lists[_HIGH + (size - 1 - i) * LANES + lane] = _order(
                lists[_HIGH + (size - 1 - i) * LANES + lane], v
            )


@inlined
def _average(lists: Float32, count: int, size: int, high: Float32, low: Float32) -> None:
    for lane in range(LANES):
        u = v = np.float32(0)
        for i in range(count):
            u += lists[_LOW + i * LANES + lane]
            v += lists[_HIGH + (size - 1 - i) * LANES + lane]
        low[lane] = u / np.float32(count)
        high[lane] = v / np.float32(count)


@compiled
def extremes(magnitude: Float32, bands: Bands, lists: Float32, out: Float32) -> None:
    """Average the smallest and the largest magnitudes of each band.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(1025 * 16,), dtype=float32]
        Magnitude spectra of 16 frames.
    bands : Bands
        Result of `banks.contrast`. At most 32 magnitudes per end of a band are averaged.
    lists : np.ndarray
        From `workspace`.
    out : np.ndarray [shape=(2 * n_bands * 16,), dtype=float32]
        Receives the peaks of the bands, then the valleys.
    """
    n_bands = len(bands.counts)
    for band in range(n_bands):
        first, end, count = bands.edges[band, 0], bands.edges[band, 1], bands.counts[band]
        lists[:_HIGH] = _ABOVE_ALL
        lists[_HIGH:_GROUP] = _BELOW_ALL
        groups_end = end - (end - first) % 16
        size = _SHORT if count <= _SHORT else _LONG if count <= _LONG else _LONGEST
        if size == _SHORT:
            for k in range(first, end):
                _insert(lists, magnitude[k * LANES :], _SHORT)
        elif size == _LONG:
            for k in range(first, groups_end, 16):
                _absorb(lists, magnitude[k * LANES :], _LONG)
            for k in range(groups_end, end):
                _insert(lists, magnitude[k * LANES :], _LONG)
        else:
            for k in range(first, groups_end, 16):
                _absorb(lists, magnitude[k * LANES :], _LONGEST)
            for k in range(groups_end, end):
                _insert(lists, magnitude[k * LANES :], _LONGEST)
        high = out[band * LANES : (band + 1) * LANES]
        low = out[(n_bands + band) * LANES : (n_bands + band + 1) * LANES]
        _average(lists, count, size, high, low)
