"""Halve the sample rate by a long filter, in the frequency domain, 32 segments of a signal at a time.

Overlap-save: a segment of 2,048 samples is transformed, multiplied by the filter's response, folded to half the
rate, and transformed back to 1,024 samples. 828 of these depend only on samples of the segment, and are kept.

Each SIMD lane is a pair of segments, one as the real and one as the imaginary part of a complex signal. The
response of a symmetric filter is real, so the two do not mix.

The forward transform is 64 x 32, the inverse one 16 x 64 (Cooley-Tukey). No values are reordered between them: the
second factor of the forward transform writes in the order in which the first factor of the inverse one reads.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.kernels.compiled import compiled, inlined
from segue.audio.kernels.stft import aligned, roots
from segue.audio.kernels.vectors import WIDTH, load, splat, store

Float32 = NDArray[np.float32]

SEGMENTS: Final = 2 * WIDTH
"""Segments computed together."""

LENGTH: Final = 2048
KEPT: Final = 828
"""Outputs kept from a segment."""

HOP: Final = 2 * KEPT
LEAD: Final = 196
"""Samples of a segment before the time of the first output."""

REACH: Final = 195
"""Taps on each side of the filter's middle. Even for the last output kept, all taps lie within the segment."""

_LONG: Final = 64
_MIDDLE: Final = 32
_SHORT: Final = 16
_CELL: Final = 2 * WIDTH
"""Floats of a complex vector: the real lanes, then the imaginary ones."""
_PITCH: Final = (_MIDDLE + 1) * _CELL
_BACK_PITCH: Final = (_LONG + 1) * _CELL
_SCRATCH: Final = 0
_FRONT: Final = _LONG * _CELL
_BACK: Final = _FRONT + _LONG * _PITCH
_TILE: Final = _BACK + _SHORT * _BACK_PITCH
_SIZE: Final = _TILE + LENGTH * _CELL


class Tables(NamedTuple):
    """Constants of the transforms. Cosines and sines are side by side."""

    response: Float32
    """Response of the filter, including the scale of the transforms, shape (64, 32)."""
    of_64: Float32
    """exp(-2 pi i j k / 64), shape (8, 8, 2)."""
    of_32: Float32
    """exp(-2 pi i j k / 32), shape (8, 4, 2)."""
    of_16: Float32
    """exp(-2 pi i j k / 16), shape (4, 4, 2)."""
    there: Float32
    """exp(-2 pi i c k / 2048), shape (32, 64, 2)."""
    back: Float32
    """exp(-2 pi i c k / 1024), shape (64, 16, 2)."""


def workspace() -> Float32:
    """Allocate the working memory of `halve`: 0.7 MB. Its content is not used after a call."""
    return aligned(_SIZE)


@lru_cache(maxsize=1)
def tables() -> Tables:
    """Compute the constants for the filter of `taps`."""
    filter_ = np.zeros(LENGTH)
    filter_[: REACH + 1] = taps()
    filter_[-REACH:] = filter_[REACH:0:-1]
    response = np.fft.fft(filter_).real / LENGTH
    return Tables(
        response=response.reshape(_MIDDLE, _LONG).T.astype(np.float32).copy(),
        of_64=_roots(8, 8, 64),
        of_32=_roots(8, 4, 32),
        of_16=_roots(4, 4, 16),
        there=_roots(_MIDDLE, _LONG, LENGTH),
        back=_roots(_LONG, _SHORT, LENGTH // 2),
    )


def taps() -> NDArray[np.float64]:
    """Compute half of soxr's filter of quality HQ, from its middle on, to 2e-8.

    The parameters were found from soxr's impulse response.

    Returns
    -------
    np.ndarray [shape=(196,), dtype=float64]
        A sinc with cutoff 0.47843591 of half the rate, in a Kaiser window of beta 13.04 and reach 194.5.
    """
    cutoff, beta, reach = 0.47843591, 13.04, 194.5
    times = np.arange(REACH + 1)
    window = np.i0(beta * np.sqrt(np.maximum(0, 1 - (times / reach) ** 2))) / np.i0(beta)
    window[times > reach] = 0
    half: NDArray[np.float64] = cutoff * np.sinc(cutoff * times) * window
    half /= half[0] + 2 * half[1:].sum()
    return half


def _roots(rows: int, columns: int, n: int) -> Float32:
    return roots(np.outer(np.arange(rows), np.arange(columns)), n).astype(np.float32)


@inlined
def _get(work: Float32, at: int) -> Any:
    return load(work, at), load(work, at + WIDTH)


@inlined
def _put(work: Float32, at: int, z: Any) -> None:
    store(work, at, z[0])
    store(work, at + WIDTH, z[1])


@inlined
def _put_turned(work: Float32, at: int, z: Any, root: Float32) -> None:
    cosine, sine = splat(root[0]), splat(root[1])
    store(work, at, z[0] * cosine - z[1] * sine)
    store(work, at + WIDTH, z[0] * sine + z[1] * cosine)


@inlined
def _sum(a: Any, b: Any) -> Any:
    return a[0] + b[0], a[1] + b[1]


@inlined
def _difference(a: Any, b: Any) -> Any:
    return a[0] - b[0], a[1] - b[1]


@inlined
def _fours(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Transform 4 points."""
    s, t, u = _sum(a, c), _difference(a, c), _sum(b, d)
    v = b[1] - d[1], d[0] - b[0]
    return _sum(s, u), _sum(t, v), _difference(s, u), _difference(t, v)


@inlined
def _turned_fours(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Multiply the third of 4 points by -i, then transform them."""
    s, t, u = (a[0] + c[1], a[1] - c[0]), (a[0] - c[1], a[1] + c[0]), _sum(b, d)
    v = b[1] - d[1], d[0] - b[0]
    return _sum(s, u), _sum(t, v), _difference(s, u), _difference(t, v)


@inlined
def _eights(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
    """Transform 8 points."""
    even = _fours(_sum(a, e), _sum(b, f), _sum(c, g), _sum(d, h))
    half = splat(np.float32(2**-0.5))
    p, q, r, s = _difference(a, e), _difference(b, f), _difference(c, g), _difference(d, h)
    # Multiplied by exp(-pi i / 4), -i and exp(-3 pi i / 4).
    minus = splat(np.float32(-(2**-0.5)))
    odd = _turned_fours(
        p, ((q[0] + q[1]) * half, (q[1] - q[0]) * half), r, ((s[1] - s[0]) * half, (s[0] + s[1]) * minus)
    )
    return even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3]


@inlined
def _fours_at(work: Float32, at: int, step: int) -> Any:
    """Transform 4 points at a distance of ``step``."""
    return _fours(_get(work, at), _get(work, at + step), _get(work, at + 2 * step), _get(work, at + 3 * step))


@inlined
def _eights_at(work: Float32, at: int, step: int) -> Any:
    """Transform 8 points at a distance of ``step``."""
    return _eights(
        _get(work, at),
        _get(work, at + step),
        _get(work, at + 2 * step),
        _get(work, at + 3 * step),
        _get(work, at + 4 * step),
        _get(work, at + 5 * step),
        _get(work, at + 6 * step),
        _get(work, at + 7 * step),
    )


@inlined
def _put_four_turned(work: Float32, at: int, step: int, z: Any, turns: Float32) -> None:
    _put_turned(work, at, z[0], turns[0])
    _put_turned(work, at + step, z[1], turns[1])
    _put_turned(work, at + 2 * step, z[2], turns[2])
    _put_turned(work, at + 3 * step, z[3], turns[3])


@inlined
def _put_eight_turned(work: Float32, at: int, step: int, z: Any, turns: Float32) -> None:
    _put_four_turned(work, at, step, z[:4], turns[:4])
    _put_four_turned(work, at + 4 * step, step, z[4:], turns[4:])


@inlined
def _first_of_64(work: Float32, at: int, step: int, tables: Tables) -> None:
    """Transform 64 points over their higher digit into the scratch memory."""
    for r in range(8):
        z = _eights_at(work, at + r * step, 8 * step)
        _put_eight_turned(work, _SCRATCH + r * _CELL, 8 * _CELL, z, tables.of_64[r])


@inlined
def _there(work: Float32, tables: Tables) -> None:
    """Transform the tile's columns of 64 points into the front."""
    for c in range(_MIDDLE):
        _first_of_64(work, _TILE + c * _CELL, _MIDDLE * _CELL, tables)
        for q in range(8):
            z = _eights_at(work, _SCRATCH + 8 * q * _CELL, _CELL)
            _put_eight_turned(work, _FRONT + q * _PITCH + c * _CELL, 8 * _PITCH, z, tables.there[c, q::8])


@inlined
def _folded(low: Any, high: Any, response: Float32, k: int) -> Any:
    """Filter, fold to half the rate, and swap real and imaginary parts, so a forward transform is the inverse."""
    a, b = splat(response[k]), splat(response[k + _SHORT])
    return low[1] * a + high[1] * b, low[0] * a + high[0] * b


@inlined
def _rows(work: Float32, tables: Tables) -> None:
    """Transform the front's rows of 32 points, filter them, and transform them back as rows of 16."""
    for k in range(_LONG):
        at, response = _FRONT + k * _PITCH, tables.response[k]
        for c in range(8):
            z = _fours_at(work, at + c * _CELL, 8 * _CELL)
            _put_four_turned(work, _SCRATCH + c * _CELL, 8 * _CELL, z, tables.of_32[c])
        for q in range(4):
            x = _eights_at(work, _SCRATCH + 8 * q * _CELL, _CELL)
            y = _fours(
                _folded(x[0], x[4], response, q),
                _folded(x[1], x[5], response, q + 4),
                _folded(x[2], x[6], response, q + 8),
                _folded(x[3], x[7], response, q + 12),
            )
            _put_four_turned(work, _SCRATCH + (_MIDDLE + q) * _CELL, 4 * _CELL, y, tables.of_16[q])
        for s in range(4):
            y = _fours_at(work, _SCRATCH + (_MIDDLE + 4 * s) * _CELL, _CELL)
            to = _BACK + s * _BACK_PITCH + k * _CELL
            _put_four_turned(work, to, 4 * _BACK_PITCH, y, tables.back[k, s::4])


@inlined
def _back(work: Float32, tables: Tables) -> None:
    """Transform the back's rows of 64 points into the tile."""
    for c in range(_SHORT):
        _first_of_64(work, _BACK + c * _BACK_PITCH, _CELL, tables)
        for q in range(8):
            z = _eights_at(work, _SCRATCH + 8 * q * _CELL, _CELL)
            to, step = _TILE + (c + _SHORT * q) * _CELL, 8 * _SHORT * _CELL
            _put(work, to, z[0])
            _put(work, to + step, z[1])
            _put(work, to + 2 * step, z[2])
            _put(work, to + 3 * step, z[3])
            _put(work, to + 4 * step, z[4])
            _put(work, to + 5 * step, z[5])
            _put(work, to + 6 * step, z[6])
            _put(work, to + 7 * step, z[7])


@inlined
def _fill(work: Float32, signal: Float32) -> None:
    for n in range(LENGTH):
        row, column = work[_TILE + n * _CELL : _TILE + (n + 1) * _CELL], signal[n:]
        for segment in range(SEGMENTS):
            row[segment] = column[segment * HOP]


@inlined
def _empty(work: Float32, out: Float32) -> None:
    first = LEAD // 2
    for segment in range(SEGMENTS):
        # Real and imaginary parts were swapped.
        column = work[_TILE + first * _CELL + (segment + WIDTH) % SEGMENTS :]
        row = out[segment * KEPT : (segment + 1) * KEPT]
        for n in range(KEPT):
            row[n] = column[n * _CELL]


@compiled
def halve(signal: Float32, tables: Tables, work: Float32, out: Float32) -> None:
    """Filter, and keep every other sample from sample `LEAD` on.

    Parameters
    ----------
    signal : np.ndarray [shape=(at least 32 * 1656 * n + 392,), dtype=float32]
        Samples.
    tables : Tables
        Constants.
    work : np.ndarray
        From `workspace`.
    out : np.ndarray [shape=(32 * 828 * n,), dtype=float32]
        Receives the samples of half the rate.
    """
    for i in range(len(out) // (SEGMENTS * KEPT)):
        _fill(work, signal[i * SEGMENTS * HOP :])
        _there(work, tables)
        _rows(work, tables)
        _back(work, tables)
        _empty(work, out[i * SEGMENTS * KEPT : (i + 1) * SEGMENTS * KEPT])
