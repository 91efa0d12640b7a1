"""Chromagrams from pitch-class sums, CENS and tonnetz."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import N_CHROMA
from segue.audio.kernels.compiled import compiled
from segue.audio.kernels.vectors import WIDTH, load, splat, store

Float32 = NDArray[np.float32]

_SMOOTHING: Final = 41
"""Frames over which CENS smooths."""

_WINDOW: Final = (np.hanning(_SMOOTHING + 2) / np.hanning(_SMOOTHING + 2).sum()).astype(np.float32)

_TINY: Final = np.finfo(np.float32).tiny


def by_bin(filters: Float32) -> Float32:
    """Arrange a filter bank for `pitch_classes`.

    Do this once for all spectra, because it takes half as long as a fold.

    Parameters
    ----------
    filters : np.ndarray [shape=(12, 1025), dtype=float32]
        From `banks.chroma`.

    Returns
    -------
    np.ndarray [shape=(1025 * 12,), dtype=float32]
        The 12 weights of each bin side by side.
    """
    return filters.T.ravel()


def pitch_classes(magnitudes: Float32, weights: Float32) -> Float32:
    """Fold the power of a spectrum into pitch classes.

    Parameters
    ----------
    magnitudes : np.ndarray [shape=(n, 1025 * 16), dtype=float32]
        Magnitudes of ``n`` times 16 frames, in the layout of :mod:`segue.audio.kernels.stft`.
    weights : np.ndarray [shape=(1025 * 12,), dtype=float32]
        From `by_bin`.

    Returns
    -------
    np.ndarray [shape=(n, 12 * 16), dtype=float32]
        Sums, from C to B.
    """
    sums = np.empty((len(magnitudes), N_CHROMA * WIDTH), np.float32)
    _fold(magnitudes, weights, sums)
    return sums


@compiled
def _fold(magnitudes: Float32, weights: Float32, sums: Float32) -> None:
    """Add up the 12 pitch classes in registers."""
    zero = splat(np.float32(0))
    for i in range(len(magnitudes)):
        spectrum, out = magnitudes[i], sums[i]
        c = cs = d = ds = e = f = fs = g = gs = a = as_ = b = zero
        for k in range(len(spectrum) // WIDTH):
            magnitude = load(spectrum, k * WIDTH)
            power, at = magnitude * magnitude, k * N_CHROMA
            c += power * splat(weights[at])
            cs += power * splat(weights[at + 1])
            d += power * splat(weights[at + 2])
            ds += power * splat(weights[at + 3])
            e += power * splat(weights[at + 4])
            f += power * splat(weights[at + 5])
            fs += power * splat(weights[at + 6])
            g += power * splat(weights[at + 7])
            gs += power * splat(weights[at + 8])
            a += power * splat(weights[at + 9])
            as_ += power * splat(weights[at + 10])
            b += power * splat(weights[at + 11])
        for row, total in enumerate((c, cs, d, ds, e, f, fs, g, gs, a, as_, b)):
            store(out, row * WIDTH, total)


def normalise(chroma: Float32, norm: float) -> Float32:
    """Scale each frame to norm 1. Silent frames stay zero.

    Parameters
    ----------
    chroma : np.ndarray [shape=(12, n_frames), dtype=float32]
        Pitch classes.
    norm : {1, 2, inf}
        Kind of norm.
    """
    if norm == np.inf:
        lengths = np.abs(chroma).max(axis=0)
    elif norm == 1:
        lengths = np.abs(chroma).sum(axis=0)
    else:
        lengths = np.sqrt(np.square(chroma).sum(axis=0))
    lengths[lengths < _TINY] = 1
    scaled: Float32 = chroma / lengths
    return scaled


def cens(chroma: Float32) -> Float32:
    """Compute chroma energy normalised statistics (CENS): quantised and smoothed chroma.

    Parameters
    ----------
    chroma : np.ndarray [shape=(12, n_frames), dtype=float32]
        Constant-Q pitch-class sums.

    Returns
    -------
    np.ndarray [shape=(12, n_frames), dtype=float32]
        As ``librosa.feature.chroma_cens``.
    """
    shares = normalise(chroma, 1)
    smoothed = np.empty_like(shares)
    _quantise_and_smooth(shares, _WINDOW, smoothed)
    return normalise(smoothed, 2)


def tonnetz(cens: Float32) -> Float32:
    """Project chroma on circles of fifths, minor thirds and major thirds.

    Parameters
    ----------
    cens : np.ndarray [shape=(12, n_frames), dtype=float32]
        From `cens`.

    Returns
    -------
    np.ndarray [shape=(6, n_frames), dtype=float32]
        As ``librosa.feature.tonnetz``.
    """
    projected: Float32 = _PROJECTION @ normalise(cens, 1)
    return projected


def _projection() -> Float32:
    turns = np.outer([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3], np.arange(N_CHROMA))
    turns[::2] -= 0.5  # sines
    radii = np.array([[1], [1], [1], [1], [0.5], [0.5]])
    projection: Float32 = (radii * np.cos(np.pi * turns)).astype(np.float32)
    return projection


_PROJECTION: Final = _projection()


@compiled
def _quantise_and_smooth(shares: Float32, weights: Float32, out: Float32) -> None:
    half = len(weights) // 2
    n = shares.shape[1]
    steps = np.zeros(n + 2 * half, np.float32)
    quarter, zero = np.float32(0.25), np.float32(0)
    for row in range(len(shares)):
        for i in range(n):
            x = shares[row, i]
            steps[half + i] = (
                (quarter if x > 0.4 else zero)
                + (quarter if x > 0.2 else zero)
                + (quarter if x > 0.1 else zero)
                + (quarter if x > 0.05 else zero)
            )
        out[row] = 0
        for k in range(len(weights)):
            w = weights[k]
            for i in range(n):
                out[row, i] += w * steps[i + k]
