"""Power spectra of 16 frames at a time: a real FFT of 2048 points in which each SIMD lane is a frame.

Consecutive frames are in consecutive lanes. So every step of the transform, and of later computations on the
spectrum, is the same instruction on 16 frames, without shuffling. The tile has 19 hops as columns; quarter ``q``
of frame ``l`` is column ``l + q``.

The 2048 real samples are treated as 1024 complex ones, ``z[n] = x[2n] + i x[2n + 1]``, and transformed as 32 x 32
(Cooley-Tukey): first 32 transforms over ``r`` for ``n = c + 32 r``, then 32 over ``c``. Each works on 8 KB, in the
fastest cache.

The transform is in double precision, as in librosa. Above an encoder's low-pass, float32 would leave only rounding
errors, which would change the contrast of that band and the bandwidth of a pure tone. Double precision takes 3 ms
more for a half-minute clip. With framing, window and squares, it is still faster than a library's transform.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import HOP_LENGTH, N_FFT
from segue.audio.kernels.compiled import compiled, inlined
from segue.audio.kernels.vectors import WIDTH

LANES: Final = WIDTH
"""Frames computed together."""

N_COLUMNS: Final = LANES + N_FFT // HOP_LENGTH - 1
"""Hops that 16 frames cover."""

_SIDE: Final = 32
_HALF: Final = _SIDE * _SIDE
_R: Final = 2**-0.5

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class Tables(NamedTuple):
    """Constants of the transform. Cosines and sines are side by side."""

    window: Float64
    """A Hann window times 1/2, so that `_split` need not halve, shape (2048,)."""
    small: Float64
    """exp(-2 pi i j k / 32), shape (4, 8, 2)."""
    middle: Float64
    """exp(-2 pi i j k / 1024), shape (32, 32, 2)."""
    split: Float64
    """exp(-2 pi i k / 2048), shape (1024, 2)."""


def roots(exponents: NDArray[Any], n: int) -> Float64:
    """Compute exp(-2 pi i exponents / n), with cosines and sines in a last axis."""
    phase = -2 * np.pi * exponents / n
    return np.stack([np.cos(phase), np.sin(phase)], axis=-1)


@lru_cache(maxsize=1)
def tables() -> Tables:
    """Compute the constants in double precision."""
    side = np.arange(_SIDE)
    return Tables(
        window=0.25 - 0.25 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT),
        small=roots(np.outer(np.arange(4), np.arange(8)), _SIDE),
        middle=roots(np.outer(side, side), _HALF),
        split=roots(np.arange(_HALF), N_FFT),
    )


# Offsets of the parts of the working memory, in doubles. With one array and constant offsets, the compiler sees
# that reads and writes do not overlap.
_PLANE: Final = _SIDE * LANES
_PITCH: Final = _PLANE + LANES
_ROWS: Final = 0
_FRONT: Final = _ROWS + 2 * _PLANE
_BACK: Final = _FRONT + 2 * _PLANE
_MIDDLE: Final = _BACK + 2 * _PLANE
_IMAGINARY: Final = _SIDE * _PITCH + 8 * LANES
_TILE_WIDTH: Final = 20
_SIZE: Final = _MIDDLE + 2 * _IMAGINARY


def aligned(*shape: int) -> Float32:
    """Allocate an array that begins at a cache line. Vectors that cross cache lines would halve the speed."""
    size = math.prod(shape)
    memory = np.empty(size + LANES, np.float32)
    start = -(memory.__array_interface__["data"][0] // 4) % LANES
    return memory[start : start + size].reshape(shape)


def workspace() -> tuple[Float32, Float64]:
    """Allocate the working memory of `power_spectra`."""
    return aligned(HOP_LENGTH * _TILE_WIDTH), aligned(2 * _SIZE).view(np.float64)


@inlined
def _fill(tile: Float32, samples: Float32) -> None:
    """Write the hops side by side into the tile."""
    for n in range(HOP_LENGTH):
        row, column = tile[n * _TILE_WIDTH : (n + 1) * _TILE_WIDTH], samples[n:]
        for hop in range(N_COLUMNS):
            row[hop] = column[hop * HOP_LENGTH]


@inlined
def _fours(ar: Any, ai: Any, br: Any, bi: Any, cr: Any, ci: Any, dr: Any, di: Any) -> Any:
    """Transform 4 points."""
    sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
    ur, ui, vr, vi = br + dr, bi + di, bi - di, dr - br
    return sr + ur, si + ui, tr + vr, ti + vi, sr - ur, si - ui, tr - vr, ti - vi


@inlined
def _turn_to_rows(work: Float64, r: int, lane: int, y: Any, w: Any) -> None:
    """Multiply 4 points by ``w`` and write them to rows ``8 j + r``."""
    at = _ROWS + r * LANES + lane
    work[at] = y[0]
    work[at + _PLANE] = y[1]
    work[at + 8 * LANES] = y[2] * w[0] - y[3] * w[1]
    work[at + 8 * LANES + _PLANE] = y[2] * w[1] + y[3] * w[0]
    work[at + 16 * LANES] = y[4] * w[2] - y[5] * w[3]
    work[at + 16 * LANES + _PLANE] = y[4] * w[3] + y[5] * w[2]
    work[at + 24 * LANES] = y[6] * w[4] - y[7] * w[5]
    work[at + 24 * LANES + _PLANE] = y[6] * w[5] + y[7] * w[4]


@inlined
def _eights(work: Float64, j: int, lane: int) -> Any:
    """Transform the 8 points in rows ``8 j`` to ``8 j + 7``; return even outputs, then odd outputs."""
    at = _ROWS + 8 * j * LANES + lane
    ar, ai = work[at], work[at + _PLANE]
    br, bi = work[at + LANES], work[at + LANES + _PLANE]
    cr, ci = work[at + 2 * LANES], work[at + 2 * LANES + _PLANE]
    dr, di = work[at + 3 * LANES], work[at + 3 * LANES + _PLANE]
    er, ei = work[at + 4 * LANES], work[at + 4 * LANES + _PLANE]
    fr, fi = work[at + 5 * LANES], work[at + 5 * LANES + _PLANE]
    gr, gi = work[at + 6 * LANES], work[at + 6 * LANES + _PLANE]
    hr, hi = work[at + 7 * LANES], work[at + 7 * LANES + _PLANE]
    even = _fours(ar + er, ai + ei, br + fr, bi + fi, cr + gr, ci + gi, dr + hr, di + hi)
    # The odd outputs are multiplied by the powers of exp(-pi i / 4).
    sr, si, tr, ti = br - fr, bi - fi, dr - hr, di - hi
    odd = _fours(
        ar - er,
        ai - ei,
        (sr + si) * _R,
        (si - sr) * _R,
        ci - gi,
        gr - cr,
        (ti - tr) * _R,
        -(tr + ti) * _R,
    )
    return even, odd


@inlined
def _columns(tile: Float32, work: Float64, tables: Tables) -> None:
    """Window the tile and transform it over ``r`` into ``middle[k, c]``."""
    window, small, turn = tables.window, tables.small, tables.middle
    for c in range(_SIDE):
        for r in range(8):
            even = 2 * c + 64 * r
            w0, w1, w2, w3 = window[even], window[even + 512], window[even + 1024], window[even + 1536]
            v0, v1, v2, v3 = window[even + 1], window[even + 513], window[even + 1025], window[even + 1537]
            w = small[1, r, 0], small[1, r, 1], small[2, r, 0], small[2, r, 1], small[3, r, 0], small[3, r, 1]
            for lane in range(LANES):
                at = even * _TILE_WIDTH + lane
                y = _fours(
                    tile[at] * w0,
                    tile[at + _TILE_WIDTH] * v0,
                    tile[at + 1] * w1,
                    tile[at + _TILE_WIDTH + 1] * v1,
                    tile[at + 2] * w2,
                    tile[at + _TILE_WIDTH + 2] * v2,
                    tile[at + 3] * w3,
                    tile[at + _TILE_WIDTH + 3] * v3,
                )
                _turn_to_rows(work, r, lane, y, w)
        for j in range(4):
            t0r, t0i, t1r, t1i = turn[c, j, 0], turn[c, j, 1], turn[c, j + 4, 0], turn[c, j + 4, 1]
            t2r, t2i, t3r, t3i = turn[c, j + 8, 0], turn[c, j + 8, 1], turn[c, j + 12, 0], turn[c, j + 12, 1]
            t4r, t4i, t5r, t5i = turn[c, j + 16, 0], turn[c, j + 16, 1], turn[c, j + 20, 0], turn[c, j + 20, 1]
            t6r, t6i, t7r, t7i = turn[c, j + 24, 0], turn[c, j + 24, 1], turn[c, j + 28, 0], turn[c, j + 28, 1]
            for lane in range(LANES):
                even_, odd = _eights(work, j, lane)
                at = _MIDDLE + j * _PITCH + c * LANES + lane
                _turn(work, at, even_[0], even_[1], t0r, t0i)
                _turn(work, at + 4 * _PITCH, odd[0], odd[1], t1r, t1i)
                _turn(work, at + 8 * _PITCH, even_[2], even_[3], t2r, t2i)
                _turn(work, at + 12 * _PITCH, odd[2], odd[3], t3r, t3i)
                _turn(work, at + 16 * _PITCH, even_[4], even_[5], t4r, t4i)
                _turn(work, at + 20 * _PITCH, odd[4], odd[5], t5r, t5i)
                _turn(work, at + 24 * _PITCH, even_[6], even_[7], t6r, t6i)
                _turn(work, at + 28 * _PITCH, odd[6], odd[7], t7r, t7i)


@inlined
def _turn(work: Float64, at: int, yr: Any, yi: Any, wr: Any, wi: Any) -> None:
    work[at] = yr * wr - yi * wi
    work[at + _IMAGINARY] = yr * wi + yi * wr


@inlined
def _row(work: Float64, k: int, small: Float64, out: int) -> None:
    """Transform ``middle[k]`` over ``c`` into ``out``."""
    for r in range(8):
        w = small[1, r, 0], small[1, r, 1], small[2, r, 0], small[2, r, 1], small[3, r, 0], small[3, r, 1]
        for lane in range(LANES):
            at = _MIDDLE + k * _PITCH + r * LANES + lane
            y = _fours(
                work[at],
                work[at + _IMAGINARY],
                work[at + 8 * LANES],
                work[at + 8 * LANES + _IMAGINARY],
                work[at + 16 * LANES],
                work[at + 16 * LANES + _IMAGINARY],
                work[at + 24 * LANES],
                work[at + 24 * LANES + _IMAGINARY],
            )
            _turn_to_rows(work, r, lane, y, w)
    for j in range(4):
        for lane in range(LANES):
            even, odd = _eights(work, j, lane)
            at = out + j * LANES + lane
            work[at], work[at + _PLANE] = even[0], even[1]
            work[at + 4 * LANES], work[at + 4 * LANES + _PLANE] = odd[0], odd[1]
            work[at + 8 * LANES], work[at + 8 * LANES + _PLANE] = even[2], even[3]
            work[at + 12 * LANES], work[at + 12 * LANES + _PLANE] = odd[2], odd[3]
            work[at + 16 * LANES], work[at + 16 * LANES + _PLANE] = even[4], even[5]
            work[at + 20 * LANES], work[at + 20 * LANES + _PLANE] = odd[4], odd[5]
            work[at + 24 * LANES], work[at + 24 * LANES + _PLANE] = even[6], even[7]
            work[at + 28 * LANES], work[at + 28 * LANES + _PLANE] = odd[6], odd[7]


@inlined
def _split(work: Float64, k: int, back: int, mirror: int, split: Float64, power: Float32) -> None:
    """Separate the spectra of even and odd samples and write the power of bins ``k + 32 i`` and their mirrors.

    The mirror of row ``i`` is row ``mirror - i`` of the part that begins at ``back``.
    """
    for i in range(_SIDE):
        bin_, mirrored = k + _SIDE * i, back + (mirror - i) % _SIDE * LANES
        at = _FRONT + i * LANES
        zr, zi = work[at : at + LANES], work[at + _PLANE : at + _PLANE + LANES]
        yr, yi = work[mirrored : mirrored + LANES], work[mirrored + _PLANE : mirrored + _PLANE + LANES]
        lower, upper = power[bin_ * LANES : (bin_ + 1) * LANES], power[(_HALF - bin_) * LANES :]
        wr, wi = split[bin_, 0], split[bin_, 1]
        for lane in range(LANES):
            er, ei, gr, gi = zr[lane] + yr[lane], zi[lane] - yi[lane], zi[lane] + yi[lane], yr[lane] - zr[lane]
            hr, hi = wr * gr - wi * gi, wr * gi + wi * gr
            lower[lane] = np.float32((er + hr) * (er + hr) + (ei + hi) * (ei + hi))
            upper[lane] = np.float32((er - hr) * (er - hr) + (ei - hi) * (ei - hi))


@compiled
def power_spectra(samples: Float32, tables: Tables, tile: Float32, work: Float64, power: Float32) -> None:
    """Compute the power spectra of 16 frames. The first frame begins with the first sample.

    Parameters
    ----------
    samples : np.ndarray [shape=(at least 9728,), dtype=float32]
        Signal.
    tables : Tables
        Constants.
    tile, work : np.ndarray
        From `workspace`.
    power : np.ndarray [shape=(1025 * 16,), dtype=float32]
        Receives the squared magnitudes.
    """
    _fill(tile, samples)
    _columns(tile, work, tables)
    for k in range(_SIDE // 2 + 1):
        _row(work, k, tables.small, _FRONT)
        if k % (_SIDE // 2) == 0:
            _split(work, k, _FRONT, _SIDE if k == 0 else _SIDE - 1, tables.split, power)
        else:
            _row(work, _SIDE - k, tables.small, _BACK)
            _split(work, k, _BACK, _SIDE - 1, tables.split, power)
