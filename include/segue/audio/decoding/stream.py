"""The output of every decoder: blocks of samples, and the properties in the header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.audio.kernels.signal import mix
from segue.audio.limits import Limits
from segue.audio.reasons import Reason, RejectionError

Samples = NDArray[np.float32]

BLOCK_FRAMES = 131_072
"""Frames per block. A block stays in the cache between decoding and mixing."""


@dataclass(frozen=True)
class AudioStream:
    """An opened audio stream.

    Parameters
    ----------
    decoder
        ``soundfile`` or ``pyav``.
    sample_rate
        In Hz.
    channels
        Channels in the file.
    stated_frames
        Length that the header states, in frames. None if it states none or only an estimate.
    channel_blocks
        Float32 blocks of shape (n, channels). The next block may overwrite the array.
    """

    decoder: str
    sample_rate: int
    channels: int
    stated_frames: int | None
    channel_blocks: Iterator[Samples]

    @property
    def blocks(self) -> Iterator[Samples]:
        """The mean of the channels: mono float32 blocks, each a new array."""
        return (mix(block.T) for block in self.channel_blocks)


def check_format(sample_rate: int, channels: int, limits: Limits) -> None:
    """Reject implausible sample rates and channels, before memory is allocated.

    Raises
    ------
    RejectionError
        BAD_RATE or BAD_CHANNELS.
    """
    if not limits.min_sample_rate <= sample_rate <= limits.max_sample_rate:
        bounds = f"{limits.min_sample_rate} to {limits.max_sample_rate} Hz"
        raise RejectionError(Reason.BAD_RATE, f"The sample rate is {sample_rate} Hz, outside {bounds}.")
    if not 1 <= channels <= limits.max_channels:
        message = f"The file has {channels} channels, outside 1 to {limits.max_channels}."
        raise RejectionError(Reason.BAD_CHANNELS, message)
