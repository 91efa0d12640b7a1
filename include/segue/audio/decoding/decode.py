"""The decoders, in the order in which they are tried.

Both receive the open file, not its name. So they decode the file that was checked and hashed, even if its name is
unusual or the folder changes meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO

from segue.audio.decoding.ffmpeg import open_pyav
from segue.audio.decoding.libsndfile import open_soundfile
from segue.audio.decoding.mp3_header import is_of_unstated_variable_rate
from segue.audio.decoding.stream import AudioStream
from segue.audio.limits import Limits

Opener = Callable[[BinaryIO, Limits], AbstractContextManager[AudioStream]]


def decoders(file: BinaryIO) -> tuple[Opener, Opener]:
    """Return the decoders for a file, the first choice first.

    libsndfile is the faster one. FFmpeg comes first only if libsndfile would probably decode just a part. FFmpeg
    would then have to decode the file anew.

    Parameters
    ----------
    file
        The open file. Its position changes.
    """
    if is_of_unstated_variable_rate(file):
        return open_pyav, open_soundfile
    return open_soundfile, open_pyav
