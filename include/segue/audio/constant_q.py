"""Chroma from the constant-Q transform, as ``librosa.cqt`` computes it, octave by octave from the top.

Each octave below has half the sample rate of the one above, so that the same 12 filters serve all. What librosa
multiplies in the frequency domain is a matrix product in the time domain here, of half the size: the filters are
symmetric, so that the samples at either side of a frame's middle are added, and subtracted, before.

What is above the top octave goes by a short filter, and between the octaves librosa's resampler halves the rate:
there, what lies just below half the new rate is loud, and the filters of the octave do see a trace of it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.audio import banks
from segue.audio.compiled import compiled
from segue.audio.definition import HOP_LENGTH, N_CHROMA, N_OCTAVES
from segue.audio.halving import Exact, Filtering

Float32 = NDArray[np.float32]

_FRAMES_AT_ONCE: Final = 256
_SAMPLES_AT_ONCE: Final = 2**16
"""What passes through all octaves before the next: stays in the second-level cache."""

_HOP_HALVINGS: Final = HOP_LENGTH.bit_length() - 1


class ConstantQChroma:
    """Takes a signal in blocks and folds its constant-Q magnitudes into pitch classes.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    tuning : float
        In semitones.
    n_samples : int
        Length of the whole signal.
    """

    def __init__(self, sample_rate: int, tuning: float, n_samples: int) -> None:
        filters = banks.constant_q(sample_rate, tuning, N_OCTAVES, _HOP_HALVINGS)
        self._left = n_samples
        early = filters.early_halvings
        self._early = Filtering(2**early, n_samples) if early else None
        length = self._early.length if self._early else n_samples
        self._halvings: list[Exact] = []
        folded = np.empty((2, _FRAMES_AT_ONCE, len(filters.even)), np.float32)
        self._octaves = [_Octave(filters, early, length, folded)]
        for i in range(1, filters.n_octaves):
            self._halvings.append(Exact(length))
            length = self._halvings[-1].length
            self._octaves.append(_Octave(filters, early + i, length, folded))
        n_frames = min(octave.n_frames for octave in self._octaves)
        self._chroma = np.zeros((n_frames, N_CHROMA), np.float32)

    def add(self, block: Float32) -> None:
        """Take the next samples.

        Parameters
        ----------
        block : np.ndarray [shape=(n,), dtype=float32]
            Mono samples.
        """
        for start in range(0, len(block), _SAMPLES_AT_ONCE):
            self._add(block[start : start + _SAMPLES_AT_ONCE])

    def _add(self, samples: Float32) -> None:
        self._left -= len(samples)
        last = self._left == 0
        if self._early:
            samples = self._early.resample(samples, last=last)
        self._octaves[0].respond(samples, self._chroma, last=last)
        for halving, octave in zip(self._halvings, self._octaves[1:], strict=True):
            samples = halving.resample(samples, last=last)
            octave.respond(samples, self._chroma, last=last)

    def finish(self) -> Float32:
        """Give the chroma.

        Returns
        -------
        np.ndarray [shape=(12, n_frames), dtype=float32]
            Sums of magnitudes, from C to B.
        """
        return np.ascontiguousarray(self._chroma.T)


class _Octave:
    """The filters' responses in one octave, at every hop; all octaves work in the same ``folded``."""

    def __init__(self, filters: banks.ConstantQ, halvings: int, n_samples: int, folded: Float32) -> None:
        self._filters = filters
        self._folded = folded
        self._half = len(filters.even)
        self._hop = HOP_LENGTH >> halvings
        self._scale = np.float32(2 ** (halvings / 2))
        self._pending = [np.zeros(self._half, np.float32)]
        self._n_pending = self._half
        self._done = 0
        self.n_frames = 1 + n_samples // self._hop

    def respond(self, samples: Float32, chroma: Float32, *, last: bool) -> None:
        """Take the next samples and add the magnitudes of the frames that they complete to the pitch classes."""
        # `_fold_frames` reads a sample beyond each frame.
        new = [samples, np.zeros(self._half + 1, np.float32)] if last else [samples]
        self._pending += new
        self._n_pending += sum(map(len, new))
        n = min((self._n_pending - 2 * self._half - 1) // self._hop + 1, len(chroma) - self._done)
        if not last:
            n -= n % _FRAMES_AT_ONCE
        if n <= 0:
            return
        signal = np.concatenate(self._pending)
        for start in range(0, n, _FRAMES_AT_ONCE):
            sums, differences = self._folded[:, : n - start]
            _fold_frames(signal[start * self._hop :], self._hop, sums, differences)
            real, imaginary = sums @ self._filters.even, differences @ self._filters.odd
            _add_magnitudes(real, imaginary, self._scale, chroma[self._done + start :])
        self._done += n
        self._pending = [signal[n * self._hop :]]
        self._n_pending -= n * self._hop


@compiled
def _fold_frames(signal: Float32, hop: int, sums: Float32, differences: Float32) -> None:
    """Add, and subtract, what lies at either side of each frame's middle, in the order of `banks.constant_q`."""
    n_frames, half = sums.shape
    for frame in range(n_frames):
        x = signal[frame * hop :]
        earlier, later = x[1 : half + 1], x[half + 1 : 2 * half + 1]
        added, subtracted = sums[frame], differences[frame]
        for i in range(half):
            added[i] = later[i] + earlier[half - 1 - i]
            subtracted[i] = later[i] - earlier[half - 1 - i]
        added[half - 1] = x[0] + x[1]
        subtracted[half - 1] = x[0] - x[1]


@compiled
def _add_magnitudes(real: Float32, imaginary: Float32, scale: np.float32, chroma: Float32) -> None:
    for frame in range(len(real)):
        for c in range(N_CHROMA):
            a, b = real[frame, c], imaginary[frame, c]
            chroma[frame, c] += scale * np.sqrt(a * a + b * b)
