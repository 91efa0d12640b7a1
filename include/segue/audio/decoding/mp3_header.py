"""Read what the headers of an MP3 say about its length."""

from __future__ import annotations

from typing import BinaryIO

from mutagen import MutagenError
from mutagen.mp3 import BitrateMode, MPEGFrame, MPEGInfo, skip_id3

SCANNED_BYTES = 4 * 2**20
"""Some two minutes at the highest bit rate."""


def stated_duration_s(file: BinaryIO) -> float | None:
    """Return the duration in the Xing, Info or VBRI header of an MP3.

    Without such a header, every decoder guesses the length from the size, which includes tags and garbage.

    Parameters
    ----------
    file
        The open file. Its position does not change.

    Returns
    -------
    float or None
        Seconds. None without such a header, or if it states no length.
    """
    position = file.tell()
    try:
        file.seek(0)
        info = MPEGInfo(file)
    except MutagenError:
        return None
    finally:
        file.seek(position)
    return None if info.bitrate_mode == BitrateMode.UNKNOWN else float(info.length) or None


def has_frames_after(file: BinaryIO, position: int) -> bool:
    """Return whether at least four MP3 frames follow each other after a position.

    Parameters
    ----------
    file
        The open file. Its position changes.
    position
        Offset in bytes. Up to a mebibyte of other data may come before the frames.
    """
    try:
        return not MPEGInfo(file, offset=position).sketchy
    except MutagenError:
        return False


def is_of_unstated_variable_rate(file: BinaryIO) -> bool:
    """Return whether a file is an MP3 of variable bit rate without a header that states its length.

    libsndfile guesses the length of such a file from the bit rate of the first frame, and often stops too early.

    Parameters
    ----------
    file
        The open file. Its position changes.

    Returns
    -------
    bool
        False if the bit rate changes only after the first `SCANNED_BYTES`.
    """
    file.seek(0)
    try:
        skip_id3(file)  # type: ignore[no-untyped-call] # mutagen has no types
        first = MPEGFrame(file)  # type: ignore[no-untyped-call]
    except MutagenError:
        return False
    if not first.sketchy or first.layer != 3:  # mutagen calls a frame sketchy if it has no Xing or VBRI header
        return False
    file.seek(first.frame_offset)
    frames = file.read(SCANNED_BYTES)
    size = (144 if first.version == 1 else 72) * first.bitrate // first.sample_rate
    position, rate = 0, frames[2] >> 4
    while frames[position : position + 2] == frames[:2] and position + 2 < len(frames):
        if frames[position + 2] >> 4 != rate:
            return True
        position += size + (frames[position + 2] >> 1 & 1)  # a padded frame has one byte more
    return False
