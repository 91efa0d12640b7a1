"""The decoders, in the order in which they are tried.

Both receive the open file, not its name. So they decode the file that was checked and hashed, even if its name is
unusual or the folder changes meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO, Final

from segue.audio.decoding.ffmpeg import open_pyav
from segue.audio.decoding.libsndfile import open_soundfile
from segue.audio.decoding.stream import AudioStream
from segue.audio.limits import Limits

Opener = Callable[[BinaryIO, Limits], AbstractContextManager[AudioStream]]

DECODERS: Final[tuple[Opener, ...]] = (open_soundfile, open_pyav)
