"""The K-weighting filter of ITU-R BS.1770-4 as matrices that filter 16 samples at once.

The filter is a shelf of +4 dB above 1.7 kHz, which stands for the head, and a high-pass at 38 Hz. The
recommendation has its coefficients for 48 kHz only. Those for other rates come from the analogue filters of
libebur128.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.kernels.vectors import WIDTH

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

N_STATES: Final = 4
"""Order of the filter: two sections of order two."""


class Blocks(NamedTuple):
    """Matrices for 16 samples, flat. Each column has 16 values, so that it fits a vector."""

    direct: Float32
    """From 16 samples to 16 outputs."""
    free: Float32
    """From the four states before the samples to the outputs."""
    driven: Float32
    """From 16 samples to the four states after them. The last 12 rows are zero."""
    kept: Float32
    """From the states before the samples to the states after them. The last 12 rows are zero."""


@lru_cache(maxsize=16)
def blocks(sample_rate: int) -> Blocks:
    """Return the matrices for a sample rate.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    """
    a, b, c, d = _normalised(*_cascade(*map(_state_space, coefficients(sample_rate))))
    powers = [np.linalg.matrix_power(a, n) for n in range(WIDTH + 1)]
    response = np.array([d, *(c @ powers[n] @ b for n in range(WIDTH - 1))])
    direct = np.array([[response[n - j] if n >= j else 0.0 for n in range(WIDTH)] for j in range(WIDTH)])
    free = np.array([c @ powers[n] for n in range(WIDTH)]).T
    driven, kept = np.zeros((WIDTH, WIDTH)), np.zeros((N_STATES, WIDTH))
    driven[:, :N_STATES] = [powers[WIDTH - 1 - j] @ b for j in range(WIDTH)]
    kept[:, :N_STATES] = powers[WIDTH].T
    return Blocks(*(matrix.astype(np.float32).ravel() for matrix in (direct, free, driven, kept)))


def coefficients(sample_rate: int) -> tuple[Float64, Float64]:
    """Return the two sections of the filter.

    Parameters
    ----------
    sample_rate : int
        In Hz.

    Returns
    -------
    tuple of two np.ndarray [shape=(2, 3)]
        Numerator and denominator of the shelf and of the high-pass. The denominators begin with 1.
    """
    k, q = np.tan(np.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    gain = 10 ** (3.999843853973347 / 20)
    middle = gain**0.4996667741545416
    shelf = np.array([gain + middle * k / q + k * k, 2 * (k * k - gain), gain - middle * k / q + k * k])
    below = np.array([1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])
    k, q = np.tan(np.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    poles = np.array([1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])
    high_pass = np.array([1.0, -2.0, 1.0]), poles / poles[0]
    return np.stack([shelf, below]) / below[0], np.stack(high_pass)


_System = tuple[Float64, Float64, Float64, float]
"""Matrices A, B, C and D of a filter with one input and one output."""


def _state_space(section: Float64) -> _System:
    (b0, b1, b2), (_, a1, a2) = section
    return (
        np.array([[-a1, 1.0], [-a2, 0.0]]),
        np.array([b1 - a1 * b0, b2 - a2 * b0]),
        np.array([1.0, 0.0]),
        float(b0),
    )


def _cascade(first: _System, second: _System) -> _System:
    (a1, b1, c1, d1), (a2, b2, c2, d2) = first, second
    a = np.block([[a1, np.zeros_like(a1)], [np.outer(b2, c1), a2]])
    return a, np.concatenate([b1, b2 * d1]), np.concatenate([c1 * d2, c2]), d1 * d2


def _normalised(a: Float64, b: Float64, c: Float64, d: float) -> _System:
    """Choose states that have the same variance and are uncorrelated for white noise.

    Then float32 is enough at every sample rate. The states of the sections themselves are differences of nearly
    equal numbers at high rates.
    """
    n = len(a)
    variance = np.linalg.solve(np.eye(n * n) - np.kron(a, a), np.outer(b, b).ravel()).reshape(n, n)
    root = np.linalg.cholesky(variance)
    inverse = np.linalg.inv(root)
    return reduce(np.matmul, (inverse, a, root)), inverse @ b, c @ root, d
