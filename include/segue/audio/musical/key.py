"""Key and mode, from the chromagram of the constant-Q transform.

The mean of the squared chromagram is compared with the profiles of the 24 keys. A profile says how often each note
occurs in music of the key. The largest value of each frame is 1, so loud and quiet passages count alike.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import N_CHROMA

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

TONICS: Final = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MODES: Final = ("major", "minor")

PROFILES: Final[dict[str, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "Albrecht-Shanahan": (
        (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
        (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
    ),
    "Krumhansl-Kessler": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    "Temperley": (
        (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
        (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
    ),
}
"""Profiles of major and minor from the tonic up: Albrecht and Shanahan (2013), Krumhansl and Kessler (1982),
Temperley (2007, from the Kostka-Payne corpus). docs/audio-features.md has their accuracy."""

PROFILE: Final = "Albrecht-Shanahan"

_SHARPNESS: Final = 12.0
"""Turns correlations into probabilities. It makes the confidence the share of right keys on the sample corpus."""


class Key(NamedTuple):
    """Key of a recording.

    Attributes
    ----------
    tonic : str
        One of `TONICS`.
    mode : str
        One of `MODES`.
    confidence : float
        Between 0 and 1: how likely this key is among the 24.
    """

    tonic: str
    mode: str
    confidence: float


def pitch_classes(chroma: Float32) -> Float64:
    """Return the share of each pitch class in a chromagram.

    Parameters
    ----------
    chroma : np.ndarray [shape=(12, n_frames), dtype=float32]
        Constant-Q chromagram from C to B. The largest value of each frame is 1, or 0 if the frame is silent.

    Returns
    -------
    np.ndarray [shape=(12,), dtype=float64]
    """
    shares: Float64 = np.square(chroma).sum(axis=1, dtype=np.float64) / max(1, chroma.shape[1])
    return shares


def estimate(shares: Float64, profile: str = PROFILE) -> Key | None:
    """Find the key.

    Parameters
    ----------
    shares : np.ndarray [shape=(12,)]
        From `pitch_classes`.
    profile : str
        One of `PROFILES`.

    Returns
    -------
    Key or None
        None if all pitch classes are equally strong, as in silence.
    """
    if np.ptp(shares) <= 0:
        return None
    centred = shares - shares.mean()
    correlations = _keys(profile) @ centred / np.linalg.norm(centred)
    likely = np.exp(_SHARPNESS * (correlations - correlations.max()))
    best = int(correlations.argmax())
    mode, tonic = divmod(best, N_CHROMA)
    return Key(TONICS[tonic], MODES[mode], float(likely[best] / likely.sum()))


def _keys(profile: str) -> Float64:
    """Return the 24 profiles, first the major keys from C to B. Each has mean 0 and length 1."""
    rows = np.array([np.roll(of_mode, tonic) for of_mode in PROFILES[profile] for tonic in range(N_CHROMA)])
    rows -= rows.mean(axis=1, keepdims=True)
    normalised: Float64 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normalised
