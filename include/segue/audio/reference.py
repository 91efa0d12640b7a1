"""The features in plain librosa: slow and short. :mod:`segue.audio.features` must return the same.

This follows FMA's ``features.py`` (github.com/mdeff/fma), with librosa's default parameters of that time.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from segue.audio import definition
from segue.audio.decoding.ffmpeg import open_pyav
from segue.audio.decoding.libsndfile import open_soundfile
from segue.audio.definition import FMA_SAMPLE_RATE, HOP_LENGTH, N_BANDS, N_CHROMA, N_FFT, N_MFCC, N_OCTAVES
from segue.audio.kernels.compiled import one_process
from segue.audio.limits import Limits
from segue.audio.results import Track

# The last three compile functions when they are imported. librosa by itself imports them at their first use.
with one_process():
    import librosa
    import librosa.core.audio
    import librosa.core.pitch
    import librosa.util.utils

Array = NDArray[Any]


def compute(samples: Array, sample_rate: int, *, fma_compatible: bool = False) -> NDArray[np.float32]:
    """Compute the 518 features with librosa's own functions.

    Parameters
    ----------
    samples : np.ndarray [shape=(channels, n) or (n,), dtype=float32]
        Decoded audio.
    sample_rate : int > 0
        In Hz.
    fma_compatible : bool
        Label the STFT's bins as FMA does, see `definition.FMA_SAMPLE_RATE`.

    Returns
    -------
    np.ndarray [shape=(518,), dtype=float32]
        In the order of `definition.COLUMNS`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # librosa warns of empty mel filters, short signals and silence, but its results are defined
        series = frame_series(samples, sample_rate, fma_compatible=fma_compatible)
        return np.concatenate([_statistics(series[family]).ravel() for family in definition.FAMILIES])


def compute_of(track: Track) -> NDArray[np.float32]:
    """Compute the features of an extracted file with librosa's functions, from the same decoder's samples.

    Parameters
    ----------
    track : Track
        Result of the fast path. Its file is decoded again, as a whole and in this process.

    Returns
    -------
    np.ndarray [shape=(518,), dtype=float32]

    Raises
    ------
    RejectionError
        If the file no longer decodes.
    """
    opener = {"soundfile": open_soundfile, "pyav": open_pyav}[track.decoder]
    with Path(track.path).open("rb", buffering=0) as file, opener(file, Limits()) as stream:
        return compute(np.concatenate(list(stream.blocks)), stream.sample_rate)


def frame_series(samples: Array, sample_rate: int, *, fma_compatible: bool = False) -> dict[str, Array]:
    """Compute the series of the families over the frames, whose statistics `compute` returns.

    Parameters
    ----------
    samples, sample_rate, fma_compatible
        As in `compute`.

    Returns
    -------
    dict of str to np.ndarray [shape=(size of the family, n_frames)]
        The families of `definition.FAMILIES`.
    """
    y = librosa.to_mono(np.asarray(samples, dtype=np.float32))
    bins_rate = FMA_SAMPLE_RATE if fma_compatible else sample_rate
    n_octaves = constant_q_octaves(y, sample_rate)
    cqt = np.abs(
        librosa.cqt(
            y, sr=sample_rate, hop_length=HOP_LENGTH, bins_per_octave=12, n_bins=12 * n_octaves, tuning=None
        )
    )
    stft = np.abs(librosa.stft(y, n_fft=N_FFT, hop_length=HOP_LENGTH))
    cens = librosa.feature.chroma_cens(C=cqt, n_chroma=N_CHROMA, n_octaves=n_octaves, bins_per_octave=12)
    mel = librosa.feature.melspectrogram(sr=sample_rate, S=stft**2)
    return {
        "chroma_cens": cens,
        "chroma_cqt": librosa.feature.chroma_cqt(
            C=cqt, n_chroma=N_CHROMA, n_octaves=n_octaves, bins_per_octave=12
        ),
        "chroma_stft": librosa.feature.chroma_stft(S=stft**2, sr=bins_rate, n_chroma=N_CHROMA),
        "mfcc": librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=N_MFCC),
        "rmse": librosa.feature.rms(S=stft),
        "spectral_bandwidth": librosa.feature.spectral_bandwidth(S=stft, sr=bins_rate),
        "spectral_centroid": librosa.feature.spectral_centroid(S=stft, sr=bins_rate),
        "spectral_contrast": _contrast(stft, bins_rate),
        "spectral_rolloff": librosa.feature.spectral_rolloff(S=stft, sr=bins_rate),
        "tonnetz": librosa.feature.tonnetz(chroma=cens),
        "zcr": librosa.feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP_LENGTH),
    }


def errors(features: Array, expected: Array) -> dict[str, float]:
    """Compare two feature vectors.

    Parameters
    ----------
    features, expected : np.ndarray [shape=(518,)]
        The vector to check, and the result of `compute`.

    Returns
    -------
    dict of str to float
        Largest error of each family, relative to its scale. The scale is the largest value of the statistic in the
        family, and at least 1 for skew and kurtosis, which are 0 for a normal distribution.
    """
    worst = dict.fromkeys(definition.FAMILIES, 0.0)
    families, statistics, _ = map(np.array, zip(*definition.COLUMNS, strict=True))
    for family in worst:
        for statistic in definition.STATISTICS:
            chosen = (families == family) & (statistics == statistic)
            scale = max(np.abs(expected[chosen]).max(), statistic in {"skew", "kurtosis"})
            error = np.abs(features[chosen].astype(np.float64) - expected[chosen]).max()
            if error:
                worst[family] = max(worst[family], float(error / scale) if scale else np.inf)
    return worst


def constant_q_octaves(y: Array, sample_rate: int) -> int:
    """Return the number of whole octaves from C1 whose filters stay below half the sample rate, at most 7."""
    tuning = librosa.estimate_tuning(y=y, sr=sample_rate, bins_per_octave=12)
    for n_octaves in range(N_OCTAVES, 1, -1):
        freqs = librosa.cqt_frequencies(
            n_bins=12 * n_octaves, fmin=float(librosa.note_to_hz("C1")), bins_per_octave=12, tuning=tuning
        )
        _, cutoff = librosa.filters.wavelet_lengths(freqs=freqs, sr=sample_rate)
        if cutoff <= sample_rate / 2:
            return n_octaves
    return 1


def _contrast(stft: Array, sample_rate: float) -> Array:
    """Return the spectral contrast. Bands beyond half the sample rate, which librosa refuses, are 0."""
    n_bands = next(n for n in range(N_BANDS, 0, -1) if 200 * 2 ** (n - 1) < sample_rate / 2)
    contrast = librosa.feature.spectral_contrast(S=stft, sr=sample_rate, n_bands=n_bands)
    return np.pad(contrast, ((0, N_BANDS - n_bands), (0, 0)))


def _statistics(values: Array) -> NDArray[np.float32]:
    """Return the statistics of each row, shape (7, n_rows), in the order of `definition.STATISTICS`."""
    values = values.astype(np.float64)
    constant = values.std(axis=1) <= 1e-6 * np.abs(values).max()
    return np.stack(
        [
            np.where(constant, -3, scipy.stats.kurtosis(values, axis=1)),
            np.max(values, axis=1),
            np.mean(values, axis=1),
            np.median(values, axis=1),
            np.min(values, axis=1),
            np.where(constant, 0, scipy.stats.skew(values, axis=1)),
            np.where(constant, 0, np.std(values, axis=1)),
        ]
    ).astype(np.float32)
