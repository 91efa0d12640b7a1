"""Chroma from the constant-Q transform, as ``librosa.cqt`` computes it, octave by octave from the top.

Each octave has half the sample rate of the one above, so the same 12 filters serve all octaves. librosa multiplies
in the frequency domain; here it is a matrix product in the time domain. The filters are symmetric. So the samples
on both sides of a frame's middle are first added and subtracted, which halves the size of the product.

A short filter removes frequencies above the top octave. Between the octaves, the rate is halved with the filter of
librosa's resampler. A short filter is not enough there: the frequencies just below half the new rate are loud, and
the filters of the octave respond weakly to them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import HOP_LENGTH, N_CHROMA, N_OCTAVES
from segue.audio.kernels import banks, overlap_save
from segue.audio.kernels.compiled import compiled, inlined
from segue.audio.kernels.halving import Exact, Filtering
from segue.audio.kernels.stft import aligned
from segue.audio.kernels.vectors import WIDTH, flipped, load, splat, square_root, store

Float32 = NDArray[np.float32]

_FRAMES_AT_ONCE: Final = 4
"""Frames computed together. Their eight sums stay in registers. A sum is a vector with a lane for each filter."""

_SAMPLES_AT_ONCE: Final = 2**17
"""Samples that pass through all octaves at once. They stay in the second-level cache."""

_HOP_HALVINGS: Final = HOP_LENGTH.bit_length() - 1


class ConstantQChroma:
    """Folds the constant-Q magnitudes of a signal that comes in blocks into pitch classes.

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
        work, halving = _Work(filters), overlap_save.workspace()
        self._octaves = [_Octave(work, early, length)]
        for i in range(1, filters.n_octaves):
            self._halvings.append(Exact(length, halving))
            length = self._halvings[-1].length
            self._octaves.append(_Octave(work, early + i, length))
        n_frames = min(octave.n_frames for octave in self._octaves)
        self._chroma = np.zeros((n_frames, WIDTH), np.float32)

    def add(self, block: Float32) -> None:
        """Add the next samples.

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
            if not len(samples) and not last:  # the halving waits until it has a whole batch
                return
            octave.respond(samples, self._chroma, last=last)

    def finish(self) -> Float32:
        """Return the chroma.

        Returns
        -------
        np.ndarray [shape=(12, n_frames), dtype=float32]
            Sums of magnitudes, from C to B.
        """
        return np.ascontiguousarray(self._chroma[:, :N_CHROMA].T)


class _Work:
    """Filters, padded to the width of a vector, and the working memory of all octaves."""

    def __init__(self, filters: banks.ConstantQ) -> None:
        self.half = len(filters.even)
        self.even, self.odd = (aligned(self.half, WIDTH) for _ in range(2))
        for padded, part in ((self.even, filters.even), (self.odd, filters.odd)):
            padded[:] = 0
            padded[:, :N_CHROMA] = part
        self.folded = aligned(2 * _FRAMES_AT_ONCE * self.half)
        self.folded[:] = 0


class _Octave:
    """Computes the responses of the filters in one octave, at every hop."""

    def __init__(self, work: _Work, halvings: int, n_samples: int) -> None:
        self._work = work
        self._hop = HOP_LENGTH >> halvings
        self._scale = np.float32(2 ** (halvings / 2))
        self._pending = np.zeros(work.half, np.float32)
        self._done = 0
        self.n_frames = 1 + n_samples // self._hop

    def respond(self, samples: Float32, chroma: Float32, *, last: bool) -> None:
        """Add the next samples, and add the magnitudes of the completed frames to the pitch classes."""
        work = self._work
        # `_fold` reads one sample beyond each frame.
        end = [np.zeros(work.half + 1, np.float32)] if last else []
        signal = np.concatenate([self._pending, samples, *end])
        # At low sample rates the hop is longer than the filters. Wait for the whole hop, so that it can be
        # skipped.
        needed = 2 * work.half + 1 if last else max(2 * work.half + 1, self._hop)
        n = min((len(signal) - needed) // self._hop + 1, len(chroma) - self._done)
        if n > 0:
            flat = chroma[self._done : self._done + n].ravel()
            _respond(signal, self._hop, work.even.ravel(), work.odd.ravel(), work.folded, self._scale, flat)
            self._done += n
            signal = signal[n * self._hop :]
        self._pending = signal


@inlined
def _fold(signal: Float32, at: int, folded: Float32, sums: int, differences: int, half: int) -> None:
    """Add and subtract the samples on both sides of a frame's middle, in the order of `banks.constant_q`."""
    for i in range(0, half, WIDTH):
        later, earlier = load(signal, at + half + 1 + i), flipped(load(signal, at + half + 1 - WIDTH - i))
        store(folded, sums + i, later + earlier)
        store(folded, differences + i, later - earlier)
    folded[sums + half - 1] = signal[at] + signal[at + 1]
    folded[differences + half - 1] = signal[at] - signal[at + 1]


@inlined
def _add_magnitude(chroma: Float32, frame: int, real: Any, imaginary: Any, scale: Any) -> None:
    if frame * WIDTH < len(chroma):
        magnitude = square_root(real * real + imaginary * imaginary)
        store(chroma, frame * WIDTH, load(chroma, frame * WIDTH) + scale * magnitude)


@compiled
def _respond(
    signal: Float32, hop: int, even: Float32, odd: Float32, folded: Float32, scale: np.float32, chroma: Float32
) -> None:
    """Add the magnitudes of one frame at every hop. A vector holds the 12 filters."""
    half, n_frames = len(even) // WIDTH, len(chroma) // WIDTH
    zero, scales = splat(np.float32(0)), splat(scale)
    for start in range(0, n_frames, _FRAMES_AT_ONCE):
        for i in range(min(_FRAMES_AT_ONCE, n_frames - start)):
            _fold(signal, (start + i) * hop, folded, i * half, (_FRAMES_AT_ONCE + i) * half, half)
        a = b = c = d = p = q = r = s = zero
        for i in range(half):
            filters = load(even, i * WIDTH)
            a += filters * splat(folded[i])
            b += filters * splat(folded[i + half])
            c += filters * splat(folded[i + 2 * half])
            d += filters * splat(folded[i + 3 * half])
            filters = load(odd, i * WIDTH)
            p += filters * splat(folded[i + 4 * half])
            q += filters * splat(folded[i + 5 * half])
            r += filters * splat(folded[i + 6 * half])
            s += filters * splat(folded[i + 7 * half])
        _add_magnitude(chroma, start, a, p, scales)
        _add_magnitude(chroma, start + 1, b, q, scales)
        _add_magnitude(chroma, start + 2, c, r, scales)
        _add_magnitude(chroma, start + 3, d, s, scales)
