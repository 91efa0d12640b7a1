"""The 518 features: FMA's set, from one STFT and one constant-Q transform at the file's true sample rate.

=====================  ====  ===============================================================================
family                 size  value, for each frame of 2048 samples every 512 samples
=====================  ====  ===============================================================================
``chroma_cens``          12  chroma_cqt, L1-normalised, quantised, smoothed over 41 frames, L2-normalised
``chroma_cqt``           12  constant-Q magnitudes folded into pitch classes, largest = 1
``chroma_stft``          12  power spectrum folded into pitch classes (tuned), largest = 1
``mfcc``                 20  orthonormal DCT-II of the 128 mel bands' power in dB, 80 dB deep
``rmse``                  1  root mean square
``spectral_bandwidth``    1  Hz: standard deviation of the magnitude spectrum about its centroid
``spectral_centroid``     1  Hz: mean of the magnitude spectrum
``spectral_contrast``     7  dB: loudest over quietest 2 % of an octave band
``spectral_rolloff``      1  Hz: frequency below which 85 % of the magnitudes are
``tonnetz``               6  chroma_cens projected on fifths, minor and major thirds
``zcr``                   1  zero crossings per sample
=====================  ====  ===============================================================================

Each of these 74 series over time gives seven statistics. A series that does not vary has deviation 0, skew 0 and
kurtosis -3, as in FMA's own table. :mod:`segue.audio.reference` computes the same with plain librosa, and tests
compare the two.
"""

from __future__ import annotations

from typing import Final

FEATURE_VERSION: Final = "2"
"""Stored with every row. Increase it whenever a number may change."""

N_FFT: Final = 2048
N_BINS: Final = N_FFT // 2 + 1
HOP_LENGTH: Final = 512
N_MELS: Final = 128
N_MFCC: Final = 20
N_CHROMA: Final = 12
N_OCTAVES: Final = 7
"""Octaves of the constant-Q transform, from C1 (32.7 Hz) up; fewer at low sample rates."""

N_BANDS: Final = 6
"""Octave bands of the spectral contrast above 200 Hz; bands beyond half the sample rate have contrast 0."""

FMA_SAMPLE_RATE: Final = 22050
"""FMA's features.py labels the STFT's bins as if every file had this rate."""

FAMILIES: Final[dict[str, int]] = {
    "chroma_cens": 12,
    "chroma_cqt": 12,
    "chroma_stft": 12,
    "mfcc": 20,
    "rmse": 1,
    "spectral_bandwidth": 1,
    "spectral_centroid": 1,
    "spectral_contrast": 7,
    "spectral_rolloff": 1,
    "tonnetz": 6,
    "zcr": 1,
}
"""Number of coefficients of each family."""

STATISTICS: Final = ("kurtosis", "max", "mean", "median", "min", "skew", "std")

COLUMNS: Final[list[tuple[str, str, str]]] = [
    (family, statistic, f"{number:02d}")
    for family, size in FAMILIES.items()
    for statistic in STATISTICS
    for number in range(1, size + 1)
]
"""Family, statistic and number of each feature, in the order of FMA's features.csv."""

N_FEATURES: Final = len(COLUMNS)

_POSITIONS: Final = {column: position for position, column in enumerate(COLUMNS)}


def feature_names() -> list[str]:
    """Return the names of the features in order.

    Returns
    -------
    list of str
        Such as ``"mfcc_mean_01"``.
    """
    return ["_".join(column) for column in COLUMNS]


def index(family: str, statistic: str, number: int = 1) -> int:
    """Return the position of a feature in the vector.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    statistic : str
        One of `STATISTICS`.
    number : int
        Coefficient, counted from 1.

    Returns
    -------
    int
        Between 0 and 517.

    Raises
    ------
    KeyError
        If there is no such feature.
    """
    return _POSITIONS[family, statistic, f"{number:02d}"]
