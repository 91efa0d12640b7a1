"""Read the length that an MP3 states."""

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
        Seconds, or None without such a header.
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
