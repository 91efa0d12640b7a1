"""Tell from their features whether two tracks are the same sound, encoded or cut differently.

The series over time behind the features are compared by their means. The difference of two means is divided by
the deviation within the tracks (Cohen's d). So it has no unit, and no other tracks are needed to judge it.

Series of harmony tell performances apart, and series of timbre tell masters and mixes apart. Loudness and
bandwidth are left out, because they depend on the encoder. The features of a track depend on its sample rate. So
copies at another sample rate mostly count as another sound.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import FAMILIES, index

Series = list[tuple[str, int]]
"""Family and number of coefficients, see `segue.audio.definition`."""

HARMONY: Final[Series] = [
    (family, number + 1)
    for family in ("chroma_cens", "chroma_cqt", "chroma_stft", "tonnetz")
    for number in range(FAMILIES[family])
]
TIMBRE: Final[Series] = [("mfcc", number) for number in range(2, FAMILIES["mfcc"] + 1)]
"""The first coefficient is the loudness."""

MAX_HARMONY: Final = 0.05
MAX_TIMBRE: Final = 0.14
"""Largest differences within the same sound, see `differences`. ``benchmarks/recordings.py`` shows them."""

LEAST_DEVIATION: Final = 1e-6
"""Deviations below this are rounding errors of a series that does not vary."""


def differences(
    one: NDArray[np.float32], other: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure how much the sounds of pairs of tracks differ.

    Parameters
    ----------
    one, other : ndarray of float32, shape (n_pairs, 518)
        Features of the tracks of each pair.

    Returns
    -------
    harmony, timbre : ndarray of float64, shape (n_pairs,)
        Root mean square of the differences of `HARMONY` and `TIMBRE`. 0 for the same features, and some 0.5 for
        different music.
    """
    harmony, timbre = (_difference(one, other, series) for series in (HARMONY, TIMBRE))
    return harmony, timbre


def is_same_sound(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return whether the tracks of each pair are the same sound. See `differences`."""
    harmony, timbre = differences(one, other)
    return (harmony < MAX_HARMONY) & (timbre < MAX_TIMBRE)


def _difference(one: NDArray[np.float32], other: NDArray[np.float32], series: Series) -> NDArray[np.float64]:
    means, deviations = ([index(family, name, n) for family, n in series] for name in ("mean", "std"))
    spread = [np.maximum(each[:, deviations].astype(np.float64), LEAST_DEVIATION) for each in (one, other)]
    effects = (one[:, means] - other[:, means]) / np.sqrt((spread[0] ** 2 + spread[1] ** 2) / 2)
    return np.asarray(np.sqrt((effects**2).mean(axis=1)))
