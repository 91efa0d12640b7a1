"""Decode with FFmpeg (through PyAV) the files that libsndfile cannot: M4A, AAC, ALAC, WMA, …, and damaged MP3s."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import BinaryIO

import av
import numpy as np

from segue.audio.decoding.mp3_header import stated_duration_s
from segue.audio.decoding.stream import BLOCK_FRAMES, AudioStream, Samples, check_format
from segue.audio.hashing import DIGEST_BYTES
from segue.audio.limits import Limits
from segue.audio.reasons import Reason, RejectionError

FORMATS = "mp3,mov,mp4,m4a,aac,asf,flac,ogg,wav,w64,aiff,caf,ape,wv,tta,dsf,matroska,webm,mpc,mpc8"
"""Formats that FFmpeg may recognise. Playlists are left out, because FFmpeg opens the files and URLs in them."""

FORMATS_WITH_LENGTH = frozenset({"mov", "flac", "wav", "w64", "aiff", "caf", "ape", "wv", "tta", "dsf"})
"""Formats whose header states the length. For the others, FFmpeg estimates it from the bit rate."""

CHANGES = "the sample rate or the channels change within the file."


class _NamelessFile:
    """The methods of a file that PyAV needs. Without a name, PyAV recognises the format by the content."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


@contextmanager
def open_pyav(file: BinaryIO, limits: Limits) -> Iterator[AudioStream]:
    """Open the first audio stream of a file with FFmpeg.

    Parameters
    ----------
    file
        A seekable file at its start. It stays open.
    limits
        Limits of sample rate and channels.

    Yields
    ------
    AudioStream

    Raises
    ------
    RejectionError
        UNREADABLE if FFmpeg does not know the format or finds no audio; BAD_RATE, BAD_CHANNELS.
    MemoryError
        If FFmpeg cannot allocate the memory that it needs.
    """
    try:
        with _opened(file) as container:
            if not container.streams.audio:
                raise RejectionError(Reason.UNREADABLE, "FFmpeg finds no audio in it.")
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise RejectionError(Reason.UNREADABLE, "FFmpeg has no decoder for its codec.")
            stream.codec_context.thread_type = "NONE"
            frames = _frames(container, stream)
            first = next(frames, None)
            if first is None:
                raise RejectionError(Reason.UNREADABLE, "FFmpeg cannot decode a single frame.")
            # Use the first frame, not the header, which states half the rate for HE-AAC.
            sample_rate, channels = first.sample_rate, first.layout.nb_channels
            check_format(sample_rate, channels, limits)
            stated_frames = _stated_frames(container, stream, sample_rate, file)
            blocks = _blocks(chain((first,), frames), first)
            yield AudioStream("pyav", sample_rate, channels, stated_frames, blocks)
    except MemoryError:
        raise
    except av.PatchWelcomeError as error:  # FFmpeg's Ogg demuxer raises it if they change
        raise RejectionError(Reason.UNREADABLE, f"FFmpeg: {CHANGES}") from error
    except av.FFmpegError as error:
        raise RejectionError(Reason.UNREADABLE, f"FFmpeg: {error.strerror}.") from error


def container_tags(file: BinaryIO) -> dict[str, str]:
    """Read the tags that FFmpeg finds in a file and in its first audio stream.

    Parameters
    ----------
    file
        A seekable file. It stays open, and its position changes.

    Returns
    -------
    dict of str to str
        Text by FFmpeg's name of the tag, such as ``title``, in lower case.

    Raises
    ------
    FFmpegError
        If FFmpeg does not know the format.
    """
    file.seek(0)
    with _opened(file) as container:
        sources = [container.metadata, *(stream.metadata for stream in container.streams.audio[:1])]
        return {key.lower(): text for source in reversed(sources) for key, text in source.items()}


def audio_hash(file: BinaryIO) -> str:
    """Compute a hash of the audio in a file. Other tags, pictures or padding do not change it.

    The packets of the first audio stream are hashed as they are, without decoding.

    Parameters
    ----------
    file
        A seekable file. It stays open, and its position changes.

    Returns
    -------
    str
        BLAKE2b of codec, sample rate, channels and packets, 32 hexadecimal digits. "" if FFmpeg cannot read the
        file to its end or finds no audio in it.
    """
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    size = 0
    file.seek(0)
    try:
        with _opened(file) as container:
            for stream in container.streams.audio[:1]:
                codec = stream.codec_context
                if codec is None:
                    return ""
                digest.update(f"{codec.name} {codec.sample_rate} {codec.channels} ".encode())
                for packet in container.demux(stream):
                    digest.update(packet)
                    size += packet.size
    except (av.FFmpegError, MemoryError):
        return ""
    return digest.hexdigest() if size else ""


def _opened(file: BinaryIO) -> av.container.InputContainer:
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
    return av.open(_NamelessFile(file), "r", options=options, metadata_errors="replace")


def _frames(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            continue  # leave a damaged packet out, as players do; the length is checked at the end


def _blocks(frames: Iterator[av.AudioFrame], first: av.AudioFrame) -> Iterator[Samples]:
    """Join decoded frames, which often have only 1,024 samples, to blocks of at least BLOCK_FRAMES.

    FFmpeg joins them. Converting each frame to an array would take longer than decoding it.
    """
    resampler = av.AudioResampler(format="fltp", layout=first.layout, rate=first.sample_rate)
    gathered = av.AudioFifo()
    kind = _kind(first)
    for frame in frames:
        if _kind(frame) != kind:
            raise RejectionError(Reason.UNREADABLE, f"FFmpeg: {CHANGES}")
        frame.pts = None  # with gaps between the times, the queue would refuse the frame
        gathered.write(frame)
        if gathered.samples >= BLOCK_FRAMES:
            yield _samples(gathered, resampler)
    if gathered.samples:
        yield _samples(gathered, resampler)


def _kind(frame: av.AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def _samples(gathered: av.AudioFifo, resampler: av.AudioResampler) -> Samples:
    """Take all samples out of a queue."""
    parts = [frame.to_ndarray() for frame in resampler.resample(gathered.read())]
    return np.ascontiguousarray(np.concatenate(parts, axis=1).T)


def _stated_frames(
    container: av.container.InputContainer, stream: av.AudioStream, sample_rate: int, file: BinaryIO
) -> int | None:
    names = set(container.format.name.split(","))
    stated_s = None
    if "mp3" in names:
        stated_s = stated_duration_s(file)
    elif names & FORMATS_WITH_LENGTH and stream.duration is not None and stream.time_base is not None:
        stated_s = float(stream.duration * stream.time_base)
    return None if stated_s is None else round(stated_s * sample_rate)
