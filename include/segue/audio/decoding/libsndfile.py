"""Decode MP3, FLAC, OGG Vorbis, Opus, WAV and AIFF with libsndfile, through soundfile."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import soundfile

from segue.audio.decoding.mp3_header import has_frames_after, stated_duration_s
from segue.audio.decoding.stream import BLOCK_FRAMES, AudioStream, Samples, check_format
from segue.audio.limits import Limits
from segue.audio.reasons import Reason, RejectionError

STREAMED_SIZE = 0x7FFF_0000
"""If a WAV header states this size or a larger one, it is the placeholder of a program that wrote to a pipe."""

UNKNOWN_FRAMES = 2**62
"""libsndfile states 2**63 - 1 if the length is unknown, as in a FLAC that was written to a pipe."""

LARGEST_OGG_PAGE = 65_307
"""In bytes. So the next page begins at most this far ahead."""


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
            yield AudioStream("soundfile", sound.samplerate, sound.channels, stated_frames, _blocks(sound, file))
    except soundfile.LibsndfileError as error:
        raise RejectionError(Reason.UNREADABLE, f"libsndfile: {error.error_string}") from error


def _blocks(sound: soundfile.SoundFile, file: BinaryIO) -> Iterator[Samples]:
    buffer = np.empty((BLOCK_FRAMES, sound.channels), np.float32)
    left = sound.frames
    # SoundFile.blocks() is not used: it yields stale samples if a file is shorter than its header states. Never
    # request more frames than are left: libsndfile would read and drop them, and `_check_end` would miss them.
    while len(block := sound.read(min(left, BLOCK_FRAMES), out=buffer)) > 0:
        left -= len(block)
        yield block
    _check_end(sound, file)


def _check_end(sound: soundfile.SoundFile, file: BinaryIO) -> None:
    """Reject a file that libsndfile has read only in part. FFmpeg may read it whole.

    - libsndfile stops at the length in the header of an MP3, or guesses the length from the first bit rate. The
      length is too short if MP3s were joined, or if the header was never completed.
    - It reads only the first stream of a chained Ogg.
    """
    descriptor = file.fileno()
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    if position >= os.fstat(descriptor).st_size:
        return
    if sound.format == "MP3" and has_frames_after(file, position):
        raise RejectionError(Reason.UNREADABLE, "libsndfile: the MP3 is longer than its header suggests.")
    if sound.format == "OGG" and b"OggS" in os.pread(descriptor, LARGEST_OGG_PAGE, position):
        raise RejectionError(Reason.UNREADABLE, "libsndfile: several Ogg streams were joined.")


def _stated_frames(sound: soundfile.SoundFile, file: BinaryIO) -> int | None:
    frames = int(sound.frames)
    if sound.format == "MP3":
        stated_s = stated_duration_s(file)
        return None if stated_s is None else round(stated_s * sound.samplerate)
    if frames >= UNKNOWN_FRAMES:
        return None
    # libsndfile silently uses the real size. Only its log has the size that the header stated.
    corrected = re.search(r"^ *(?:data|SSND) *: (\d+) \(should be (\d+)\)", sound.extra_info, re.MULTILINE)
    if corrected is None:
        return frames
    stated_bytes, actual_bytes = int(corrected[1]), int(corrected[2])
    if stated_bytes >= STREAMED_SIZE:
        return None
    return round(frames * stated_bytes / max(actual_bytes, 1))
