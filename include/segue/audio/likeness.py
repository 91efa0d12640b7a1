"""Tell from their features whether two tracks are the same sound, encoded or cut differently.

Three differences between the tracks are measured:

- **Harmony** tells performances apart. It compares the means of the constant-Q chroma.
- **Timbre** tells masters and mixes apart. It compares the mean mel spectra, as far as the MFCCs describe them.
- **Dynamics** tell masters apart, too. They compare how far the loudest moment is above the mean.

Differences of means are divided by the deviation within the tracks (Cohen's d). So they have no unit, and no other
tracks are needed to judge them.

The three hardly depend on the encoder, the level, or whether the sample rate is 44.1 or 48 kHz. Timbre is compared
up to 8 kHz, because encoders cut off what is above. If one sample rate is much higher than the other, frames of
2048 samples differ so much in length that copies cannot be told from other sounds. Such tracks are never the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import FAMILIES, N_MELS, index

Float64 = NDArray[np.float64]
Features = NDArray[np.float32]
Rates = NDArray[np.int32]

Series = list[tuple[str, int]]
"""Family and number of coefficients, see `segue.audio.definition`."""

HARMONY: Final[Series] = [
    (family, number + 1) for family in ("chroma_cens", "chroma_cqt") for number in range(FAMILIES[family])
]
MFCC: Final[Series] = [("mfcc", number + 1) for number in range(FAMILIES["mfcc"])]

MAX_HARMONY: Final = 0.05
MAX_TIMBRE: Final = 0.06
MAX_TIMBRE_ACROSS_RATES: Final = 0.095
MAX_DYNAMICS: Final = 0.1
"""Largest differences within the same sound, see `differences`. ``benchmarks/recordings.py`` shows them. Copies at
other sample rates differ a little more in timbre, because their frames are not equally long."""

MAX_RATIO: Final = 1.1
"""Tracks are compared if one sample rate is at most this many times the other: 48 kHz and 44.1 kHz are."""

LEAST_DEVIATION: Final = 1e-6
"""Deviations below this are rounding errors of a series that does not vary."""

LOWEST_HZ: Final = 100.0
HIGHEST_HZ: Final = 8_000.0
POINTS: Final = 40
"""Frequencies at which mel spectra are compared, equally far apart on the mel scale."""


def differences(
    one: Features, other: Features, rate_of_one: Rates, rate_of_other: Rates
) -> tuple[Float64, Float64, Float64]:
    """Measure how much the sounds of pairs of tracks differ.

    Parameters
    ----------
    one, other : ndarray of float32, shape (n_pairs, 518)
        Features of the tracks of each pair.
    rate_of_one, rate_of_other : ndarray of int32, shape (n_pairs,)
        Their sample rates, Hz.

    Returns
    -------
    harmony, timbre, dynamics : ndarray of float64, shape (n_pairs,)
        0 for the same features. Harmony and timbre are root mean squares over all series or frequencies; they are
        some 0.1 to 0.5 for different music. Dynamics are the absolute difference of two logarithms.
    """
    chroma = [_means(each, HARMONY) for each in (one, other)]
    spectra = [_spectra(one, rate_of_one), _spectra(other, rate_of_other)]
    return _effect(*chroma), _effect(*spectra), np.abs(_crest(one) - _crest(other))


def is_same_sound(one: Features, other: Features, rate_of_one: Rates, rate_of_other: Rates) -> NDArray[np.bool_]:
    """Return whether the tracks of each pair are the same sound. See `differences`."""
    harmony, timbre, dynamics = differences(one, other, rate_of_one, rate_of_other)
    is_near = np.maximum(rate_of_one, rate_of_other) <= MAX_RATIO * np.minimum(rate_of_one, rate_of_other)
    limits = [MAX_TIMBRE, MAX_TIMBRE_ACROSS_RATES]
    max_timbre = np.select([rate_of_one == rate_of_other, is_near], limits, 0.0)
    return np.asarray((harmony < MAX_HARMONY) & (timbre < max_timbre) & (dynamics < MAX_DYNAMICS))


def _means(features: Features, series: Series) -> tuple[Float64, Float64]:
    """Return the means of some series, and their variances."""
    means, deviations = (
        features[:, [index(family, name, number) for family, number in series]].astype(np.float64)
        for name in ("mean", "std")
    )
    return means, np.maximum(deviations, LEAST_DEVIATION) ** 2


def _spectra(features: Features, rates: Rates) -> tuple[Float64, Float64]:
    """Return the mean mel spectra in dB, less their level, and the variances of the levels over time.

    The MFCCs are the first coefficients of a cosine transform of the mel spectrum. So the sum of their cosines is
    a smoothed mel spectrum. Their variances add up, as if the coefficients did not correlate.
    """
    means, variances = _means(features, MFCC)
    levels, spreads = np.empty((2, len(features), POINTS))
    for rate in np.unique(rates):
        of_rate, cosines = rates == rate, _cosines(int(rate))
        levels[of_rate], spreads[of_rate] = means[of_rate] @ cosines, variances[of_rate] @ cosines**2
    return levels - levels.mean(axis=1, keepdims=True), spreads


def _cosines(rate: int) -> Float64:
    """Return the orthonormal cosine of each MFCC at the frequencies that are compared, shape (20, `POINTS`)."""
    lowest, highest, end = map(_mel, (LOWEST_HZ, HIGHEST_HZ, rate / 2))
    bands = np.linspace(lowest, highest, POINTS) / end * (N_MELS + 1) - 1
    cosines = np.cos(np.pi / N_MELS * np.outer(np.arange(len(MFCC)), bands + 0.5)) * np.sqrt(2 / N_MELS)
    cosines[0] /= np.sqrt(2)
    return np.asarray(cosines)


def _mel(hz: float) -> float:
    """Convert a frequency to Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    return hz * 3 / 200 if hz < 1_000 else 15 + 27 * np.log(hz / 1_000) / np.log(6.4)


def _crest(features: Features) -> Float64:
    """Return the logarithm of the largest over the mean loudness."""
    loudest, mean = (features[:, index("rmse", name)].astype(np.float64) for name in ("max", "mean"))
    return np.log(np.maximum(loudest, LEAST_DEVIATION) / np.maximum(mean, LEAST_DEVIATION))


def _effect(one: tuple[Float64, Float64], other: tuple[Float64, Float64]) -> Float64:
    """Return the root mean square of Cohen's d over the series."""
    (mean, variance), (other_mean, other_variance) = one, other
    squares = (mean - other_mean) ** 2 / ((variance + other_variance) / 2)
    return np.asarray(np.sqrt(squares.mean(axis=1)))
