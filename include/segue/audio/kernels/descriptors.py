"""Moments and mel bands of the power spectra of 16 frames.

Spectra have the layout of :mod:`segue.audio.kernels.stft`: bin after bin, each with 16 frames side by side.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import N_BINS, N_FFT, N_MELS
from segue.audio.kernels.compiled import compiled
from segue.audio.kernels.stft import LANES

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

RMSE: Final = 0
CENTROID: Final = 1
BANDWIDTH: Final = 2
ROLLOFF: Final = 3
LARGEST: Final = 4
N_MOMENTS: Final = 5
"""Rows of the result of `moments`. Centroid, bandwidth and rolloff are in bins."""

N_MEL_ROWS: Final = N_MELS + 1
"""The bands and an additional row for the upper neighbour of the last band, which stays zero."""

_STEP: Final = 8
"""Bins per step, so that sums stay in registers."""

N_LANES: Final = 9 * LANES
"""Size of the working memory of `moments`: nine sums for each frame."""

_TINY: Final = np.float32(np.finfo(np.float32).tiny)


class Mel(NamedTuple):
    """Triangular filters as steps. In each step, eight bins are added to two neighbouring bands."""

    first: Int64
    """First of the eight bins, shape (n_steps,)."""
    band: Int64
    """Lower of the two bands, shape (n_steps,)."""
    weights: Float32
    """Weights in both bands, shape (n_steps, 2, 8)."""


def mel_steps(filters: Float32) -> Mel:
    """Divide a filter bank into steps.

    Parameters
    ----------
    filters : np.ndarray [shape=(128, 1025), dtype=float32]
        Result of `banks.mel`. Each bin has weight in at most two bands, which are neighbours.
    """
    padded = np.vstack([filters, np.zeros_like(filters[:1])])
    used = np.flatnonzero(filters.any(axis=0))
    lower = (filters > 0).argmax(axis=0)
    steps: list[tuple[int, int, Float32]] = []
    for band in np.unique(lower[used]):
        bins = used[lower[used] == band]
        for start in range(bins[0], bins[-1] + 1, _STEP):
            first = min(start, N_BINS - _STEP)
            weights = padded[band : band + 2, first : first + _STEP].copy()
            # Use only this band's bins, and only those that the previous step did not use.
            outside = lower[first : first + _STEP] != band
            outside[: start - first] = True
            weights[:, outside] = 0
            steps.append((first, band, weights))
    first_bins, bands, weights_ = zip(*steps, strict=True)
    return Mel(np.array(first_bins), np.array(bands), np.stack(weights_))


@compiled
def moments(power: Float32, magnitude: Float32, lanes: Float32, out: Float32) -> None:
    """Compute RMS, centroid, bandwidth, rolloff, largest magnitude, and the magnitudes themselves.

    Parameters
    ----------
    power : np.ndarray [shape=(1025 * 16,), dtype=float32]
        Power spectra.
    magnitude : np.ndarray [shape=(1025 * 16,), dtype=float32]
        Receives the magnitudes.
    lanes : np.ndarray [shape=(N_LANES,)]
        Working memory.
    out : np.ndarray [shape=(5 * 16,), dtype=float32]
        Receives the moments.
    """
    lanes[:] = 0
    one, zero, half = np.float32(1), np.float32(0), np.float32(0.5)
    sums, weighted, energy, largest = 0, LANES, 2 * LANES, 3 * LANES
    for step in range(N_BINS // _STEP):
        for lane in range(LANES):
            s, x = lanes[sums + lane], lanes[largest + lane]
            w = e = zero
            for i in range(_STEP):
                p = power[(step * _STEP + i) * LANES + lane]
                m = np.sqrt(p)
                magnitude[(step * _STEP + i) * LANES + lane] = m
                s += m
                w += np.float32(step * _STEP + i) * m
                e += p
                x = m if m > x else x
            lanes[sums + lane], lanes[largest + lane] = s, x
            lanes[weighted + lane] += w
            lanes[energy + lane] += e
    scale = np.float32(2) / np.float32(N_FFT) ** 2
    mean, limit, below, spread, running = 4 * LANES, 5 * LANES, 6 * LANES, 7 * LANES, 8 * LANES
    for lane in range(LANES):
        p = power[(N_BINS - 1) * LANES + lane]
        m = np.sqrt(p)
        magnitude[(N_BINS - 1) * LANES + lane] = m
        lanes[largest + lane] = m if m > lanes[largest + lane] else lanes[largest + lane]
        lanes[sums + lane] += m
        lanes[weighted + lane] += np.float32(N_BINS - 1) * m
        out[RMSE * LANES + lane] = np.sqrt((lanes[energy + lane] + half * (p - power[lane])) * scale)
        out[LARGEST * LANES + lane] = lanes[largest + lane]
        total = lanes[sums + lane]
        total = total if total > _TINY else _TINY
        lanes[mean + lane] = lanes[weighted + lane] / total
        lanes[limit + lane] = np.float32(0.85) * lanes[sums + lane]
    for step in range(N_BINS // _STEP):
        for lane in range(LANES):
            c, t, b = lanes[mean + lane], lanes[limit + lane], lanes[below + lane]
            v, r = zero, lanes[running + lane]
            for i in range(_STEP):
                m = magnitude[(step * _STEP + i) * LANES + lane]
                distance = np.float32(step * _STEP + i) - c
                v += m * distance * distance
                r += m
                b += one if r < t else zero
            lanes[below + lane], lanes[running + lane] = b, r
            lanes[spread + lane] += v
    for lane in range(LANES):
        m = magnitude[(N_BINS - 1) * LANES + lane]
        distance = np.float32(N_BINS - 1) - lanes[mean + lane]
        total = lanes[sums + lane]
        total = total if total > _TINY else _TINY
        out[CENTROID * LANES + lane] = lanes[mean + lane]
        out[BANDWIDTH * LANES + lane] = np.sqrt((lanes[spread + lane] + m * distance * distance) / total)
        out[ROLLOFF * LANES + lane] = lanes[below + lane]


@compiled
def mel_bands(power: Float32, mel: Mel, out: Float32) -> None:
    """Compute the power in each mel band.

    Parameters
    ----------
    power : np.ndarray [shape=(1025 * 16,), dtype=float32]
        Power spectra.
    mel : Mel
        Filters.
    out : np.ndarray [shape=(129 * 16,), dtype=float32]
        Receives the bands, and a row of zeros.
    """
    out[:] = 0
    for step in range(len(mel.first)):
        p = power[mel.first[step] * LANES : (mel.first[step] + _STEP) * LANES]
        o = out[mel.band[step] * LANES : (mel.band[step] + 2) * LANES]
        w = mel.weights[step]
        for lane in range(LANES):
            lower, upper = o[lane], o[LANES + lane]
            for i in range(_STEP):
                lower += w[0, i] * p[i * LANES + lane]
                upper += w[1, i] * p[i * LANES + lane]
            o[lane], o[LANES + lane] = lower, upper
