"""Decode MP3, FLAC, OGG Vorbis, Opus, WAV and AIFF with libsndfile, through soundfile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import soundfile

from segue.audio.decoding.mp3_header import stated_duration_s
from segue.audio.decoding.stream import BLOCK_FRAMES, AudioStream, Samples, check_format
from segue.audio.kernels.signal import mix
from segue.audio.limits import Limits
from segue.audio.reasons import Reason, RejectionError

STREAMED_SIZE = 0x7FFF_0000
"""If a WAV header states this size or a larger one, it is the placeholder of a program that wrote to a pipe."""


class _Sequential(soundfile.SoundFile):  # type: ignore[misc] # soundfile ships no types
    """A file that is read from its start to its end.

    After each read of a seekable file, soundfile seeks to its current position. libsndfile then decodes some
    frames of an MP3 again, which takes 2 ms for a half-minute clip in blocks of 65,536 samples.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def open_soundfile(file: BinaryIO, limits: Limits) -> Iterator[AudioStream]:
    """Open a file with libsndfile.

    Parameters
    ----------
    file
        An unbuffered, seekable file with a descriptor, at its start. It stays open.
    limits
        Limits of sample rate and channels.

    Yields
    ------
    AudioStream

    Raises
    ------
    RejectionError
        UNREADABLE if libsndfile does not know the format or fails within the file; BAD_RATE, BAD_CHANNELS.
    """
    try:
        with _Sequential(file.fileno(), closefd=False) as sound:
            check_format(sound.samplerate, sound.channels, limits)
            stated_frames = _stated_frames(sound, file)
            yield AudioStream(
                "soundfile", sound.samplerate, sound.channels, stated_frames, _blocks(sound, stated_frames)
            )
    except soundfile.LibsndfileError as error:
        raise RejectionError(Reason.UNREADABLE, f"libsndfile: {error.error_string}") from error


def _blocks(sound: soundfile.SoundFile, stated_frames: int | None) -> Iterator[Samples]:
    buffer = np.empty((BLOCK_FRAMES, sound.channels), np.float32)
    frames = 0
    # SoundFile.blocks() would yield stale samples if a file is shorter than its header states.
    while len(block := sound.read(out=buffer)) > 0:
        frames += len(block)
        yield mix(block.T)
    if stated_frames is None and sound.format == "MP3" and frames == sound.frames:
        # libsndfile guesses the number of frames from the first one's bit rate, and reads no further.
        raise RejectionError(Reason.UNREADABLE, "libsndfile cannot find the length of the MP3.")


def _stated_frames(sound: soundfile.SoundFile, file: BinaryIO) -> int | None:
    frames = int(sound.frames)
    if sound.format == "MP3":
        stated_s = stated_duration_s(file)
        return None if stated_s is None else round(stated_s * sound.samplerate)
    # libsndfile silently uses the real size. Only its log has the size that the header stated.
    corrected = re.search(r"^ *(?:data|SSND) *: (\d+) \(should be (\d+)\)", sound.extra_info, re.MULTILINE)
    if corrected is None:
        return frames
    stated_bytes, actual_bytes = int(corrected[1]), int(corrected[2])
    if stated_bytes >= STREAMED_SIZE:
        return None
    return round(frames * stated_bytes / max(actual_bytes, 1))
