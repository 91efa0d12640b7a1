"""Halve the sample rate for the constant-Q transform."""

from __future__ import annotations

from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from segue.audio.kernels import overlap_save
from segue.audio.kernels.compiled import compiled

Float32 = NDArray[np.float32]

_QUALITY: Final = "soxr_hq"

_PAIRS: Final = 16
"""Non-zero coefficients on each side of the half-band filter's middle. The same number of coefficients is zero."""

_KAISER_BETA: Final = 12.0
"""The stop band of 118 dB then begins at 0.63 of half the sample rate. Halving folds it to 0.37 and below."""

_REACH: Final = 2 * _PAIRS
"""Samples on each side on which an output depends."""

_BORDER: Final = 512
"""Number of outputs at each end that soxr computes. The inner half fades into the filter's outputs."""

_CONTEXT: Final = 128
"""Number of outputs beyond the border. soxr needs their input to compute the border."""

_HELD: Final = _BORDER + _CONTEXT
"""Outputs held back until it is known whether the signal continues."""


_BATCH: Final = overlap_save.SEGMENTS * overlap_save.KEPT
"""Outputs that `Exact` computes together."""

_OVERLAP: Final = overlap_save.LENGTH - overlap_save.HOP
"""Samples that a batch reads beyond those of its outputs."""


class Exact:
    """Halves the rate by soxr's filter, as librosa does. It keeps almost all frequencies below half the new rate.

    Parameters
    ----------
    n_samples : int
        Length of the signal.
    work : np.ndarray
        From `overlap_save.workspace`.
    """

    def __init__(self, n_samples: int, work: Float32) -> None:
        self.length = -(-n_samples // 2)
        self._work = work
        self._left = self.length
        self._pending = np.zeros(overlap_save.LEAD, np.float32)

    def resample(self, samples: Float32, *, last: bool) -> Float32:
        """Add the next samples and return the available samples of the lower rate."""
        n = len(self._pending) + len(samples)
        n_batches = -(-self._left // _BATCH) if last else max(0, n - _OVERLAP) // (2 * _BATCH)
        beyond = np.zeros(max(0, 2 * n_batches * _BATCH + _OVERLAP - n) if last else 0, np.float32)
        signal = np.concatenate([self._pending, samples, beyond])
        out = np.empty(n_batches * _BATCH, np.float32)
        overlap_save.halve(signal, overlap_save.tables(), self._work, out)
        self._pending = signal[2 * len(out) :]
        out = out[: self._left]
        self._left -= len(out)
        return out


class Filtering:
    """Divides the sample rate by a power of two, for signals that matter only up to 0.74 of half the new rate.

    Half-band filters of 63 taps weaken higher frequencies and fold some of them. The constant-Q filters of the top
    octave hardly respond to these frequencies, and the filters of the lower octaves do not respond at all. The
    exception is a signal that begins or ends abruptly. So soxr computes the samples near the ends.

    Parameters
    ----------
    factor : int
        Power of two.
    n_samples : int
        Length of the signal.
    """

    def __init__(self, factor: int, n_samples: int) -> None:
        self.length = -(-n_samples // factor)
        self._factor = factor
        self._reach = (factor - 1) * _REACH
        self._done = 0
        self._pending = np.zeros(self._reach, np.float32)

    def resample(self, samples: Float32, *, last: bool) -> Float32:
        """Add the next samples and return the available samples of the lower rate."""
        factor, reach = self._factor, self._reach
        known = len(self._pending) + len(samples)
        beyond = np.zeros(reach + factor if last else 0, np.float32)
        signal = np.concatenate([self._pending, samples, beyond])
        if last and self.length <= 2 * _HELD:
            return _exact(signal[reach:known], factor)
        n = self.length - self._done if last else (known - reach) // factor - _HELD
        if n < _HELD and not last:
            self._pending = signal
            return signal[:0]
        out = signal[: n * factor + 2 * reach]
        while len(out) > n:
            out = _halve(out, _COEFFICIENTS)
        if self._done == 0:
            head = _exact(signal[reach : reach + _HELD * factor], factor)
            out[:_BORDER] += _FADE * (head[:_BORDER] - out[:_BORDER])
        if last:
            tail = _exact(signal[reach + (n - _HELD) * factor : known], factor)
            out[-_BORDER:] += _FADE[::-1] * (tail[-_BORDER:] - out[-_BORDER:])
        self._done += n
        self._pending = signal[n * factor :]
        return out


def _exact(signal: Float32, factor: int) -> Float32:
    """Resample as librosa does."""
    resampled: Float32 = soxr.resample(signal, factor, 1, quality=_QUALITY)
    return resampled


def _coefficients() -> Float32:
    """Return every other tap of a half-band filter (a windowed sinc) after its middle, which is 1/2."""
    times = np.arange(1, _REACH, 2)
    window = np.i0(_KAISER_BETA * np.sqrt(1 - (times / _REACH) ** 2))
    weights = np.sin(np.pi * times / 2) / times * window
    coefficients: Float32 = (weights / (4 * weights.sum())).astype(np.float32)
    return coefficients


_COEFFICIENTS: Final = _coefficients()
_FADE: Final = np.concatenate([np.ones(_BORDER // 2), np.hanning(_BORDER)[_BORDER // 2 :]]).astype(np.float32)


@compiled
def _halve(signal: Float32, coefficients: Float32) -> Float32:
    """Filter, and keep every other sample, without `_REACH` samples at each end."""
    n = len(signal) // 2 - _REACH
    out = np.empty(n, np.float32)
    even, odd = np.empty(n + _PAIRS, np.float32), np.empty(n + _REACH, np.float32)
    for i in range(len(even)):
        even[i] = signal[2 * i]
    for i in range(len(odd)):
        odd[i] = signal[2 * i + 1]
    taps = coefficients[:_PAIRS]
    for i in range(n):
        # With a constant number of pairs, the sums of 16 outputs stay in a register.
        total = np.float32(0.5) * even[_PAIRS + i]
        for j in range(_PAIRS):
            total += taps[j] * (odd[i + _PAIRS - 1 - j] + odd[i + _PAIRS + j])
        out[i] = total
    return out
