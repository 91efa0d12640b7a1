"""Chroma from the constant-Q transform, as ``librosa.cqt`` computes it, octave by octave from the top.

Each octave below has half the sample rate of the one above, so that the same 12 filters serve all. What librosa
multiplies in the frequency domain is one matrix product in the time domain here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from segue.audio import banks
from segue.audio.compiled import compiled
from segue.audio.definition import HOP_LENGTH, N_CHROMA, N_OCTAVES

Float32 = NDArray[np.float32]

_QUALITY: Final = "soxr_hq"
_FRAMES_AT_ONCE: Final = 512
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
        n_octaves, early, kernel = banks.constant_q(sample_rate, tuning, N_OCTAVES, _HOP_HALVINGS)
        self._early = _Halving(2**early, n_samples) if early else None
        length = self._early.length if self._early else n_samples
        self._octaves: list[_Octave] = []
        self._halvings: list[_Halving] = []
        for i in range(n_octaves):
            hop = HOP_LENGTH >> (early + i)
            self._octaves.append(_Octave(kernel * np.float32(2 ** ((early + i) / 2)), hop, length))
            if i < n_octaves - 1:
                self._halvings.append(_Halving(2, length))
                length = self._halvings[-1].length
        n_frames = min(octave.n_frames for octave in self._octaves)
        self._chroma = np.zeros((n_frames, N_CHROMA), np.float32)

    def add(self, block: Float32, *, last: bool) -> None:
        """Take the next samples.

        Parameters
        ----------
        block : np.ndarray [shape=(n,), dtype=float32]
            Mono samples.
        last : bool
            Whether the signal ends here.
        """
        starts = range(0, max(len(block), 1), _SAMPLES_AT_ONCE)
        for start in starts:
            part = block[start : start + _SAMPLES_AT_ONCE]
            self._add(part, last=last and start == starts[-1])

    def _add(self, samples: Float32, *, last: bool) -> None:
        if self._early:
            samples = self._early.resample(samples, last=last)
        for i, octave in enumerate(self._octaves):
            octave.respond(samples, self._chroma, last=last)
            if i < len(self._halvings):
                samples = self._halvings[i].resample(samples, last=last)

    def finish(self) -> Float32:
        """Give the chroma.

        Returns
        -------
        np.ndarray [shape=(12, n_frames), dtype=float32]
            Sums of magnitudes, from C to B.
        """
        return np.ascontiguousarray(self._chroma.T)


class _Halving:
    """Resampling by a power of two, of known length."""

    def __init__(self, factor: int, n_samples: int) -> None:
        self.length = -(-n_samples // factor)
        self._stream = soxr.ResampleStream(factor, 1, 1, dtype=np.float32, quality=_QUALITY)
        self._left = self.length

    def resample(self, samples: Float32, *, last: bool) -> Float32:
        out: Float32 = self._stream.resample_chunk(samples, last=last)[: self._left]
        self._left -= len(out)
        if last and self._left:
            out = np.concatenate([out, np.zeros(self._left, np.float32)])
        return out


class _Octave:
    """The filters' responses in one octave, at every hop."""

    def __init__(self, kernel: Float32, hop: int, n_samples: int) -> None:
        self._kernel = kernel
        self._hop = hop
        self._padding = np.zeros(len(kernel) // 2, np.float32)
        self._pending = [self._padding]
        self._n_pending = len(self._padding)
        self._done = 0
        self.n_frames = 1 + n_samples // hop

    def respond(self, samples: Float32, chroma: Float32, *, last: bool) -> None:
        new = [samples, self._padding] if last else [samples]
        self._pending += new
        self._n_pending += sum(map(len, new))
        n_fft = len(self._kernel)
        n = min((self._n_pending - n_fft) // self._hop + 1, len(chroma) - self._done)
        if n <= 0 or (n < _FRAMES_AT_ONCE and not last):
            return
        signal = np.concatenate(self._pending)
        for start in range(0, n, _FRAMES_AT_ONCE):
            shape = min(_FRAMES_AT_ONCE, n - start), n_fft
            overlapping = np.ndarray(shape, np.float32, signal, 4 * start * self._hop, (4 * self._hop, 4))
            _fold(np.ascontiguousarray(overlapping) @ self._kernel, chroma[self._done + start :])
        self._done += n
        self._pending = [signal[n * self._hop :]]
        self._n_pending -= n * self._hop


@compiled
def _fold(responses: Float32, chroma: Float32) -> None:
    """Add the magnitudes to the pitch classes."""
    for frame in range(len(responses)):
        for c in range(N_CHROMA):
            real, imaginary = responses[frame, c], responses[frame, N_CHROMA + c]
            chroma[frame, c] += np.sqrt(real * real + imaginary * imaginary)
