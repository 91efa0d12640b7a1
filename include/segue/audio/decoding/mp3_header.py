"""Read the length that an MP3 states, and find frames beyond it."""

from __future__ import annotations

from typing import BinaryIO

from mutagen import MutagenError
from mutagen.mp3 import BitrateMode, MPEGInfo


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
