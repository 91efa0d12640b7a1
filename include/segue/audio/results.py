"""What an extraction gives: a track or a rejection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.audio.reasons import Reason


@dataclass(frozen=True, eq=False)
class Track:
    """What a file yielded.

    Parameters
    ----------
    path
        As it was given.
    features
        Shape (518,), float32, in the order of `definition.COLUMNS`.
    duration_s
        Decoded length in seconds.
    sample_rate
        In Hz.
    channels
        Channels in the file; the features are of their mean.
    decoder
        ``soundfile`` (libsndfile) or ``pyav`` (FFmpeg).
    content_hash
        BLAKE2b of the file's bytes, 32 hexadecimal digits.
    """

    path: str
    features: NDArray[np.float32]
    duration_s: float
    sample_rate: int
    channels: int
    decoder: str
    content_hash: str


@dataclass(frozen=True)
class Rejection:
    """Why a file yielded nothing.

    Parameters
    ----------
    path
        As it was given.
    reason
        The code; docs/rejections.md tells the remedy of each.
    message
        One sentence.
    content_hash
        As in `Track`; None where the file could not be read so far.
    """

    path: str
    reason: Reason
    message: str
    content_hash: str | None = None
