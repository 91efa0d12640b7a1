"""The length that an MP3 states."""

from __future__ import annotations

from typing import BinaryIO

from mutagen import MutagenError
from mutagen.mp3 import BitrateMode, MPEGInfo


def stated_duration_s(file: BinaryIO) -> float | None:
    """Duration by the Xing, Info or VBRI header of an MP3.

    Without such a header every decoder guesses the length from the size, tags and garbage included.

    Parameters
    ----------
    file
        The open file; its position is kept.

    Returns
    -------
    float or None
        Seconds; None where there is no such header.
    """
    position = file.tell()
    try:
        file.seek(0)
        info = MPEGInfo(file)
    except MutagenError:
        return None
    finally:
        file.seek(position)
    return None if info.bitrate_mode == BitrateMode.UNKNOWN else float(info.length)
