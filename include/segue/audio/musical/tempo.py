"""Tempo and regularity of the beat, from the mel spectra.

    mel levels ─► onset strength ─► autocorrelation ─► comb over the tempi ─► prior ─► tempo, half, double

The onset strength of a frame says how much louder its mel bands are than those of the frame before. If a piece has
a beat, the onset strength is similar to itself one, two, three and four beats later.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import HOP_LENGTH, N_MELS
from segue.audio.kernels.compiled import compiled
from segue.audio.kernels.stft import LANES

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

SHORTEST_S: Final = 10.0
"""Shorter audio has no tempo, because the comb reaches six seconds."""

_WINDOW_S: Final = 30.0
"""Longer audio is divided into parts of this length, so that the tempo may drift."""

_SLOWEST, _FASTEST = 40.0, 240.0
"""Range of tempi, in beats a minute."""

_TEMPI: Final = np.exp(np.arange(np.log(_SLOWEST), np.log(_FASTEST), 0.005))

_COMB: Final = 1 / np.arange(1, 5)
"""Weights of the autocorrelation one to four beats later."""

_REACH_S: Final = len(_COMB) * 60 / _SLOWEST

_LEAST_RATE: Final = 80.0
"""At low sample rates, the autocorrelation is interpolated to at least this many lags in a second."""

_BLUR_S: Final = 0.01
"""Deviation by which the onsets are blurred in time, in seconds, so that a beat need not be exact."""

_PREFERRED: Final = 100.0
_OCTAVES: Final = 0.5
"""People tap most music at a tempo near 100. The prior is normal in the logarithm, with this deviation."""

_CONTRAST: Final = 5.0
"""Weight of the comb in comparison with the prior."""

_SHARPNESS: Final = 2.0
"""Turns scores into probabilities. It makes the confidence the share of right tempi on the sample corpus."""

_SAME: Final = 0.04
"""Two tempi that differ by at most this share are the same."""


class Tempo(NamedTuple):
    """Tempo of a recording.

    Attributes
    ----------
    bpm : float
        Beats a minute, between 40 and 240.
    confidence, half_confidence, double_confidence : float
        Between 0 and 1: how likely this tempo is, and half and twice this tempo.
    regularity : float
        Between 0 and 1: the largest autocorrelation of the onset strength within the range of beats. It is 1 for
        a machine that repeats itself, and 0 without a pulse.
    """

    bpm: float
    confidence: float
    half_confidence: float
    double_confidence: float
    regularity: float


class OnsetMeter:
    """Collects the onset strength of the frames."""

    def __init__(self) -> None:
        self._last = np.full(N_MELS, np.inf, np.float32)  # so that the first frame is no onset
        self._parts: list[Float32] = []

    def add(self, levels: Float32) -> None:
        """Add the next frames.

        Parameters
        ----------
        levels : np.ndarray [shape=(n, 129 * 16), dtype=float32]
            Mel bands of ``n`` times 16 frames, as logarithms, in the layout of
            :mod:`segue.audio.kernels.descriptors`.
        """
        rises = np.zeros((len(levels), LANES), np.float32)
        _add_rises(levels, self._last, rises)
        self._parts.append(rises.ravel())

    def finish(self, n_frames: int) -> Float32:
        """Return the onset strength of the first `n_frames` frames."""
        return np.concatenate([*self._parts, np.zeros(0, np.float32)])[:n_frames]


def estimate(onsets: Float32, sample_rate: int) -> Tempo | None:
    """Find the tempo.

    Parameters
    ----------
    onsets : np.ndarray [shape=(n_frames,), dtype=float32]
        From `OnsetMeter`.
    sample_rate : int
        In Hz.

    Returns
    -------
    Tempo or None
        None if the audio is shorter than `SHORTEST_S` or nothing in it repeats.
    """
    rate = sample_rate / HOP_LENGTH
    if len(onsets) < SHORTEST_S * rate:
        return None
    similar, resolution = _autocorrelation(onsets, rate)
    lags = 60 * resolution / _TEMPI
    beats = np.outer(np.arange(1, len(_COMB) + 1), lags)
    comb = _COMB @ np.interp(beats, np.arange(len(similar)), similar) / _COMB.sum()
    if comb.max() <= 0:
        return None
    scores = _CONTRAST * comb / comb.max() - (np.log2(_TEMPI / _PREFERRED) / _OCTAVES) ** 2 / 2
    best = int(scores.argmax())
    is_peak = np.r_[True, scores[1:] > scores[:-1]] & np.r_[scores[:-1] >= scores[1:], True]
    likely = np.exp(_SHARPNESS * (scores - scores[best])) * is_peak
    likely /= likely.sum()

    def probability(bpm: float) -> float:
        return float(likely[np.abs(_TEMPI / bpm - 1) <= _SAME].sum())

    bpm = float(_TEMPI[best])
    regularity = similar[int(lags[-1]) : int(lags[0]) + 2].max()
    return Tempo(
        bpm, probability(bpm), probability(bpm / 2), probability(2 * bpm), float(np.clip(regularity, 0, 1))
    )


def _autocorrelation(onsets: Float32, rate: float) -> tuple[Float64, float]:
    """Return the autocorrelation, 1 at lag 0, and the number of its lags in a second.

    It is not biased towards short lags. It reaches as far as the comb.
    """
    finer = int(np.ceil(_LEAST_RATE / rate))
    n_lags = int(_REACH_S * rate * finer) + 2
    total = np.zeros(n_lags)
    for part in np.array_split(onsets.astype(np.float64), max(1, round(len(onsets) / rate / _WINDOW_S))):
        n = 2 * len(part)
        power = np.square(np.abs(np.fft.rfft(part - part.mean(), n)))
        power *= np.exp(-np.square(2 * np.pi * _BLUR_S * np.fft.rfftfreq(n, 1 / rate)))
        total += np.fft.irfft(power, n * finer)[:n_lags] / (len(part) - np.arange(n_lags) / finer)
    return (total / total[0] if total[0] > 0 else total), rate * finer


@compiled
def _add_rises(levels: Float32, last: Float32, rises: Float32) -> None:
    """Add up how much each band is above the frame before. `last` is the frame before the first one."""
    zero, row = np.float32(0), np.empty(LANES + 1, np.float32)
    for batch in range(len(levels)):
        for band in range(N_MELS):
            row[0] = last[band]
            row[1:] = levels[batch, band * LANES : (band + 1) * LANES]
            for lane in range(LANES):
                rise = row[lane + 1] - row[lane]
                rises[batch, lane] += rise if rise > zero else zero
            last[band] = row[LANES]
