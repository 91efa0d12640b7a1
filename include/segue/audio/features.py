"""The 518 features of a signal, whole or in blocks.

``compute(samples, sample_rate)`` takes a whole signal. For a long one::

    accumulator = FeatureAccumulator(sample_rate)
    for block in blocks:  # float32, (channels, n) or (n,), of any lengths
        accumulator.add(block)
    features = accumulator.finish()  # the same numbers as compute()

The first pass (:mod:`segue.audio.kernels.first_pass`) computes the spectra and all values that depend on one
frame only. Values that depend on the recording's tuning or its loudest frame (chromagrams, the floor of the MFCC)
follow at the end.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from segue.audio import definition
from segue.audio.definition import FMA_SAMPLE_RATE, N_BANDS, N_FFT, N_MELS, N_MFCC
from segue.audio.kernels import banks, descriptors, tuning
from segue.audio.kernels.chroma import by_bin, cens, normalise, pitch_classes, tonnetz
from segue.audio.kernels.constant_q import ConstantQChroma
from segue.audio.kernels.first_pass import FirstPass, magnitudes_again
from segue.audio.kernels.frames import series
from segue.audio.kernels.signal import mix
from segue.audio.kernels.spool import Spool
from segue.audio.kernels.statistics import statistics
from segue.audio.kernels.stft import LANES
from segue.audio.threads import one_blas_thread

Float32 = NDArray[np.float32]


_DEPTH: Final = np.float32(80)
"""Range of levels in dB, below the loudest."""

_LEAST_POWER: Final = np.float32(1e-10)
"""Smallest power, as in ``librosa.power_to_db``."""

_BLOCK: Final = 2**16
"""Samples per block. A block fits into the second-level cache."""


class Listener(Protocol):
    """Receives what the features are made from, so that others need not compute it again."""

    def add_mel_levels(self, levels: Float32) -> None:
        """Receive the mel bands of the next frames, log10 of the power, in the layout of the first pass."""

    def add_chroma(self, chroma: Float32) -> None:
        """Receive the constant-Q chromagram of all frames, shape (12, n_frames). The largest of a frame is 1."""


class FeatureAccumulator:
    """Computes the features of a signal that comes in blocks.

    Parameters
    ----------
    sample_rate : int > 0
        In Hz.
    fma_compatible : bool
        Label the STFT's bins as FMA does, see `definition.FMA_SAMPLE_RATE`.
    listener : Listener, optional
        Receives mel bands and chromagram during `finish`.
    """

    def __init__(
        self, sample_rate: int, *, fma_compatible: bool = False, listener: Listener | None = None
    ) -> None:
        self._listener = listener
        self._sample_rate = sample_rate
        self._bins_rate = FMA_SAMPLE_RATE if fma_compatible else sample_rate
        self._first_pass = FirstPass(sample_rate, self._bins_rate)
        self._signal = Spool()

    def add(self, block: NDArray[Any]) -> None:
        """Add the next samples.

        Parameters
        ----------
        block : np.ndarray [shape=(channels, n) or (n,), dtype=float32]
            Finite samples that follow those added so far. The array must not change later.
        """
        if block.ndim == 2:
            block = mix(block)
        self._signal.append(block)
        self._first_pass.add(block)

    def finish(self) -> Float32:
        """Return the features of all added samples.

        Returns
        -------
        np.ndarray [shape=(518,), dtype=float32]
            In the order of `definition.COLUMNS`.
        """
        self._first_pass.finish()
        with one_blas_thread():
            families = self._from_frames() | self._from_constant_q()
        return np.concatenate([statistics(families[family]).ravel() for family in definition.FAMILIES])

    def _from_frames(self) -> dict[str, Float32]:
        """Return the families of the STFT."""
        first = self._first_pass
        moments = series(first.moments, first.n_frames)
        hz_per_bin = np.float32(self._bins_rate / N_FFT)
        return {
            "chroma_stft": self._chroma_stft(),
            "mfcc": self._mfcc(),
            "rmse": moments[descriptors.RMSE, np.newaxis],
            "spectral_bandwidth": moments[descriptors.BANDWIDTH, np.newaxis] * hz_per_bin,
            "spectral_centroid": moments[descriptors.CENTROID, np.newaxis] * hz_per_bin,
            "spectral_contrast": self._contrast(),
            "spectral_rolloff": moments[descriptors.ROLLOFF, np.newaxis] * hz_per_bin,
            "zcr": first.zero_crossing_rate(),
        }

    def _chroma_stft(self) -> Float32:
        first = self._first_pass
        weights = by_bin(banks.chroma(self._bins_rate, tuning.estimate(first.stft_peaks)))
        spectra = magnitudes_again(self._signal) if first.magnitudes is None else first.magnitudes
        return normalise(series([pitch_classes(part, weights) for part in spectra], first.n_frames), np.inf)

    def _mfcc(self) -> Float32:
        first = self._first_pass
        # Levels are limited to 80 dB below the loudest of the whole signal.
        loudest = max(mel.max() for mel in first.mel)
        floor = max(_LEAST_POWER, loudest * np.float32(10) ** (-_DEPTH / np.float32(10)))
        parts = []
        for mel in first.mel:
            levels = np.maximum(mel, floor)
            np.log10(levels, out=levels)
            if self._listener:
                self._listener.add_mel_levels(levels)
            parts.append(np.matmul(_COSINES, levels.reshape(-1, N_MELS + 1, LANES)[:, :N_MELS]))
        return series(parts, first.n_frames)

    def _contrast(self) -> Float32:
        first = self._first_pass
        peaks, valleys = np.split(_decibels(series(first.extremes, first.n_frames)), 2)
        contrast = np.maximum(peaks, peaks.max() - _DEPTH) - np.maximum(valleys, valleys.max() - _DEPTH)
        missing = N_BANDS + 1 - len(contrast)
        return np.pad(contrast, ((0, missing), (0, 0))) if missing else contrast

    def _from_constant_q(self) -> dict[str, Float32]:
        """Compute the constant-Q transform; return its families."""
        first = self._first_pass
        transform = ConstantQChroma(self._sample_rate, tuning.estimate(first.cqt_peaks), first.n_samples)
        for block in self._signal:
            transform.add(block)
        chroma = transform.finish()
        smoothed, normalised = cens(chroma), normalise(chroma, np.inf)
        if self._listener:
            self._listener.add_chroma(normalised)
        return {
            "chroma_cens": smoothed,
            "chroma_cqt": normalised,
            "tonnetz": tonnetz(smoothed),
        }


def compute(samples: NDArray[Any], sample_rate: int, *, fma_compatible: bool = False) -> Float32:
    """Compute the 518 features of a signal.

    Parameters
    ----------
    samples : np.ndarray [shape=(channels, n) or (n,), dtype=float32]
        Finite samples.
    sample_rate : int > 0
        In Hz.
    fma_compatible : bool
        Label the STFT's bins as FMA does, see `definition.FMA_SAMPLE_RATE`.

    Returns
    -------
    np.ndarray [shape=(518,), dtype=float32]
        In the order of `definition.COLUMNS`.
    """
    accumulator = FeatureAccumulator(sample_rate, fma_compatible=fma_compatible)
    for start in range(0, samples.shape[-1], _BLOCK):
        accumulator.add(samples[..., start : start + _BLOCK])
    return accumulator.finish()


def _decibels(power: Float32) -> Float32:
    """Convert power to dB, as ``librosa.power_to_db``."""
    return np.float32(10) * np.log10(np.maximum(power, _LEAST_POWER))


def _cosines() -> Float32:
    """Return the first 20 rows of the orthonormal DCT-II, scaled for levels in bels instead of dB."""
    rows = np.cos(np.pi / N_MELS * np.outer(np.arange(N_MFCC), np.arange(N_MELS) + 0.5)) * 10 * np.sqrt(2 / N_MELS)
    rows[0] /= np.sqrt(2)
    cosines: Float32 = rows.astype(np.float32)
    return cosines


_COSINES: Final = _cosines()
