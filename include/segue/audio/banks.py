"""What depends on the sample rate alone: librosa's filter banks, arranged for the compiled loops."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import NamedTuple

import librosa
import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import N_BANDS, N_CHROMA, N_FFT
from segue.audio.descriptors import Mel, mel_steps
from segue.audio.stft import N_BINS

_LOWEST_BAND_HZ = 200.0
_QUANTILE = 0.02


class Bands(NamedTuple):
    """Octave bands of the spectral contrast."""

    edges: NDArray[np.int64]
    """First bin and end, shape (n_bands, 2)."""
    counts: NDArray[np.int64]
    """How many magnitudes are averaged at either end, shape (n_bands,)."""


@lru_cache(maxsize=16)
def mel(sample_rate: float) -> Mel:
    """Mel bands between 0 and half the sample rate."""
    with warnings.catch_warnings():
        # From 96 kHz on the lowest bands are narrower than a bin and stay empty, in librosa as here.
        warnings.filterwarnings("ignore", message="Empty filters")
        return mel_steps(librosa.filters.mel(sr=sample_rate, n_fft=N_FFT))


@lru_cache(maxsize=256)
def chroma(bins_rate: float, tuning: float) -> NDArray[np.float32]:
    """Pitch classes, shape (12, 1025)."""
    filters: NDArray[np.float32] = librosa.filters.chroma(
        sr=bins_rate, n_fft=N_FFT, n_chroma=N_CHROMA, tuning=tuning
    )
    return filters


@lru_cache(maxsize=16)
def contrast(bins_rate: float) -> Bands:
    """Bands below half the sample rate, as ``librosa.feature.spectral_contrast`` draws them."""
    frequencies = np.fft.rfftfreq(N_FFT, 1 / bins_rate)
    uppers = _LOWEST_BAND_HZ * 2.0 ** np.arange(N_BANDS + 1)
    lowers = np.concatenate([[0], uppers[:-1]])
    inside = lowers < bins_rate / 2
    lowers, uppers = lowers[inside], uppers[inside]
    edges, counts = [], []
    for band, (lower, upper) in enumerate(zip(lowers, uppers, strict=True)):
        bins = np.flatnonzero((frequencies >= lower) & (frequencies <= upper))
        first, last = bins[0] - (band > 0), bins[-1]
        if band == len(lowers) - 1:
            last = N_BINS - 1
        counts.append(max(int(np.rint(_QUANTILE * (last - first + 1))), 1))
        edges.append((first, last + (band == len(lowers) - 1)))
    return Bands(np.array(edges), np.array(counts))
