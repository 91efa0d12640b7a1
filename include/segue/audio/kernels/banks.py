"""Filter banks by librosa's formulas, in numpy, because importing librosa costs a worker 2 s of CPU.

A bank depends only on the sample rate and the tuning, and is kept for the next file. Tests compare the banks with
librosa's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import N_BANDS, N_BINS, N_CHROMA, N_FFT, N_MELS

Float32 = NDArray[np.float32]

_LOWEST_BAND_HZ: Final = 200.0
_QUANTILE: Final = 0.02


def mel(sample_rate: float) -> Float32:
    """Return triangles of equal area, evenly spaced on Slaney's mel scale, as ``librosa.filters.mel``.

    Parameters
    ----------
    sample_rate : float
        In Hz.

    Returns
    -------
    np.ndarray [shape=(128, 1025), dtype=float32]
        The lowest triangles may be empty: from 96 kHz on they are narrower than a bin.
    """
    # The scale is linear up to 1,000 Hz, which is 15 mel, and logarithmic above.
    step = np.log(6.4) / 27
    top = sample_rate / 2
    highest = 15 + np.log(top / 1000) / step if top >= 1000 else top * 3 / 200
    mels = np.linspace(0, highest, N_MELS + 2)
    hz = np.where(mels >= 15, 1000 * np.exp(step * (mels - 15)), mels * 200 / 3)
    distances = np.subtract.outer(hz, np.fft.rfftfreq(N_FFT, 1 / sample_rate))
    widths = np.diff(hz)[:, np.newaxis]
    weights = np.maximum(0, np.minimum(-distances[:-2] / widths[:-1], distances[2:] / widths[1:]))
    weights *= 2 / (hz[2:] - hz[:-2])[:, np.newaxis]
    triangles: Float32 = weights.astype(np.float32)
    return triangles


@lru_cache(maxsize=256)
def chroma(bins_rate: float, tuning: float) -> Float32:
    """Return Gaussians around the pitch classes, as ``librosa.filters.chroma``.

    Parameters
    ----------
    bins_rate : float
        Sample rate that labels the bins, in Hz.
    tuning : float
        In semitones.

    Returns
    -------
    np.ndarray [shape=(12, 1025), dtype=float32]
        From C to B.
    """
    frequencies = np.arange(1, N_FFT) * bins_rate / N_FFT
    a0 = 27.5 * 2 ** (tuning / 12)
    semitones = 12 * np.log2(frequencies / a0)
    semitones = np.concatenate([[semitones[0] - 18], semitones])  # DC counts as 1.5 octaves below the first bin
    widths = np.concatenate([np.maximum(np.diff(semitones), 1), [1]])
    distances = np.remainder(np.subtract.outer(np.arange(N_CHROMA), semitones) + 6, 12) - 6
    weights = np.exp(-0.5 * (2 * distances / widths) ** 2)
    weights /= np.sqrt((weights**2).sum(axis=0))
    weights *= np.exp(-0.5 * ((semitones / 12 - 5) / 2) ** 2)
    from_c = np.roll(weights, -3, axis=0)
    return np.ascontiguousarray(from_c[:, :N_BINS], dtype=np.float32)


class Bands(NamedTuple):
    """Octave bands of the spectral contrast."""

    edges: NDArray[np.int64]
    """First bin, and the bin after the last, shape (n_bands, 2)."""
    counts: NDArray[np.int64]
    """Number of smallest, and of largest, magnitudes that are averaged, shape (n_bands,)."""


@lru_cache(maxsize=16)
def contrast(bins_rate: float) -> Bands:
    """Return the bands below half the sample rate, as in ``librosa.feature.spectral_contrast``.

    Parameters
    ----------
    bins_rate : float
        Sample rate that labels the bins, in Hz.
    """
    frequencies = np.fft.rfftfreq(N_FFT, 1 / bins_rate)
    uppers = _LOWEST_BAND_HZ * 2.0 ** np.arange(N_BANDS + 1)
    lowers = np.concatenate([[0], uppers[:-1]])
    n_bands = int((lowers < bins_rate / 2).sum())
    edges, counts = [], []
    for band in range(n_bands):
        inside = np.flatnonzero((frequencies >= lowers[band]) & (frequencies <= uppers[band]))
        top = band == n_bands - 1
        first, last = inside[0] - (band > 0), N_BINS - 1 if top else inside[-1]
        counts.append(max(int(np.rint(_QUANTILE * (last - first + 1))), 1))
        edges.append((first, last + top))
    return Bands(np.array(edges), np.array(counts))


class ConstantQ(NamedTuple):
    """Filters of the top octave. The lower octaves use them too, at lower sample rates."""

    n_octaves: int
    """Number of whole octaves from C1 that fit below half the sample rate, at most 7."""
    early_halvings: int
    """Number of halvings of the rate before the top octave."""
    even: Float32
    """Impulse responses of the filters C to B: real parts, second half only, shape (n_fft / 2, 12)."""
    odd: Float32
    """Imaginary parts of the same responses, same shape."""


@lru_cache(maxsize=256)
def constant_q(sample_rate: int, tuning: float, max_octaves: int, hop_halvings: int) -> ConstantQ:
    """Compute the filters of ``librosa.cqt``.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    tuning : float
        In semitones.
    max_octaves : int
        Largest number of octaves.
    hop_halvings : int
        Number of times that the hop can be halved.

    Notes
    -----
    The phase of a filter does not affect the magnitude of its output. Here the phase is 0 in the middle, so real
    parts are even and imaginary parts are odd. Sample ``n_fft / 2 + 1 + i`` equals sample ``n_fft / 2 - i``,
    except for the sign of odd parts. Indices are circular: index ``n_fft`` is sample 0.
    """
    ratio = 2 ** (1 / 6)
    q = (ratio + 1) / (ratio - 1)
    hann_bandwidth = 1.50018310546875  # in bins; librosa's constant
    c1 = 440 * 2 ** (-45 / 12) * 2 ** (tuning / 12)
    nyquist = sample_rate / 2
    for n_octaves in range(max_octaves, 0, -1):
        frequencies = c1 * 2 ** (np.arange(12 * (n_octaves - 1), 12 * n_octaves) / 12)
        cutoff = frequencies[-1] * (1 + 0.5 * hann_bandwidth / q)
        if cutoff <= nyquist:
            break
    spare = int(np.ceil(np.log2(nyquist / cutoff))) - 2
    early_halvings = min(max(0, spare), hop_halvings - n_octaves + 1)
    rate = sample_rate / 2**early_halvings
    lengths = q * rate / frequencies
    n_fft = int(2 ** np.ceil(np.log2(lengths.max())))
    basis = np.stack(
        [_wavelet(frequency / rate, length, n_fft) for frequency, length in zip(frequencies, lengths, strict=True)]
    )
    basis *= lengths[:, np.newaxis] / n_fft
    spectra = np.zeros((12, n_fft), np.complex128)
    spectra[:, : n_fft // 2 + 1] = _largest_parts(np.fft.fft(basis)[:, : n_fft // 2 + 1])
    # A product of spectra, summed over non-negative frequencies, equals a product with this kernel in time.
    kernel = np.fft.fft(spectra) / np.sqrt(lengths)[:, np.newaxis]
    later = np.roll(kernel, -n_fft // 2 - 1, axis=1)[:, : n_fft // 2].T
    even, odd = (np.ascontiguousarray(part, dtype=np.float32) for part in (later.real, later.imag))
    return ConstantQ(n_octaves, early_halvings, even, odd)


def _wavelet(frequency: float, length: float, n_fft: int) -> NDArray[np.complex64]:
    """Return a Hann-windowed tone of ``frequency`` cycles per sample and absolute sum 1, centred in ``n_fft``."""
    times = np.arange(-length // 2, length // 2)
    n = len(times)
    tone = np.exp(2j * np.pi * frequency * (times + 0.5)) * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n))
    tone /= np.abs(tone).sum()
    before = (n_fft - n) // 2
    return np.pad(tone, (before, n_fft - n - before)).astype(np.complex64)


def _largest_parts(spectra: NDArray[Any]) -> NDArray[Any]:
    """Drop the smallest components that make up 1 % of each row."""
    magnitudes = np.abs(spectra)
    rising = np.sort(magnitudes, axis=1)
    shares = np.cumsum(rising / magnitudes.sum(axis=1, keepdims=True), axis=1)
    thresholds = np.take_along_axis(rising, np.argmin(shares < 0.01, axis=1)[:, np.newaxis], axis=1)
    return np.where(magnitudes >= thresholds, spectra, np.complex64(0))
