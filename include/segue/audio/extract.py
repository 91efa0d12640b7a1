"""Extract the 518 features and the tags of a file, or find the reason why it has none. Identify a file."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

import numpy as np

from segue.audio.decoding.decode import Opener, decoders
from segue.audio.decoding.ffmpeg import audio_hash
from segue.audio.features import FeatureAccumulator
from segue.audio.hashing import content_hash as hash_of
from segue.audio.limits import Limits
from segue.audio.reasons import Reason, RejectionError
from segue.audio.results import Rejection, Tags, Track
from segue.audio.tags import read_tags

__all__ = ["Rejection", "Tags", "Track", "extract", "tags_of"]

LARGEST_SAMPLE = 2.0**32
"""Full scale is 1. 32-bit integers stored as floats reach 2**31. Larger samples could overflow the spectrum."""


def extract(path: str | Path, limits: Limits | None = None) -> Track | Rejection:
    """Extract the features and tags of one file, in this process.

    A damaged file can crash a decoder and this process. For such files, use `isolation.IsolatedExtractor`.

    Parameters
    ----------
    path
        The file. Its name may be anything that the file system allows.
    limits
        Accepted files; default `Limits()`.

    Returns
    -------
    Track or Rejection
    """
    limits = limits or Limits()
    content_hash = None
    try:
        with _opened(path, limits) as file:
            content_hash = hash_of(file)
            track = _decode(str(path), file, content_hash, limits)
    except RejectionError as error:
        return Rejection(str(path), error.reason, error.message, content_hash)
    except MemoryError:
        message = "The decoder needs more memory than it may use."
        return Rejection(str(path), Reason.OUT_OF_MEMORY, message, content_hash)
    return track


def tags_of(path: str | Path, limits: Limits) -> Tags | Rejection:
    """Read the tags of one file and hash its audio in this process, without decoding it.

    Parameters
    ----------
    path, limits
        As for `extract`.

    Returns
    -------
    Tags or Rejection
        A rejection if the file cannot be opened, or if it changes meanwhile.
    """
    try:
        with _opened(path, limits) as file:
            return replace(read_tags(file, str(path)), audio_hash=audio_hash(file))
    except RejectionError as error:
        return Rejection(str(path), error.reason, error.message)


_OPEN_ERRORS = {
    errno.ENOENT: (Reason.NOT_FOUND, "There is no such file."),
    errno.ENOTDIR: (Reason.NOT_FOUND, "There is no such file."),
    errno.ELOOP: (Reason.NOT_A_FILE, "It is a symbolic link that leads in a circle."),
    errno.ENXIO: (Reason.NOT_A_FILE, "It is a socket or a device, not a file."),
    errno.EACCES: (Reason.NO_PERMISSION, "This user may not read it."),
    errno.EPERM: (Reason.NO_PERMISSION, "This user may not read it."),
}


@contextmanager
def _opened(path: str | Path, limits: Limits) -> Iterator[FileIO]:
    """Open a regular file of an acceptable size. Reject other files, and files that change or fail meanwhile."""
    try:
        # Without O_NONBLOCK, opening a FIFO waits for a writer that never comes.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            before = os.fstat(descriptor)
            _check_kind_and_size(before, limits)
            try:
                with FileIO(descriptor, closefd=False) as file:
                    yield file
            except RejectionError:
                _check_unchanged(descriptor, before)  # a change of the file explains the rejection
                raise
            _check_unchanged(descriptor, before)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason, message = _OPEN_ERRORS.get(
            error.errno or 0, (Reason.UNREADABLE, f"The file cannot be read: {error.strerror}.")
        )
        raise RejectionError(reason, message) from error


def _check_unchanged(descriptor: int, before: os.stat_result) -> None:
    after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise RejectionError(Reason.CHANGED, "The file changed while it was read.")


def _check_kind_and_size(status: os.stat_result, limits: Limits) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        raise RejectionError(Reason.NOT_A_FILE, f"It is {kind}, not a file.")
    if status.st_size == 0:
        raise RejectionError(Reason.EMPTY, "The file has no bytes.")
    if status.st_size > limits.max_size_bytes:
        message = f"The file has {status.st_size:,} bytes, more than {limits.max_size_bytes:,}."
        raise RejectionError(Reason.TOO_LARGE, message)


@dataclass
class _Attempt:
    """The result of one decoder."""

    decoder: str
    sample_rate: int
    channels: int
    stated_frames: int | None
    accumulator: FeatureAccumulator
    frames: int = 0
    lowest: float = np.inf
    highest: float = -np.inf

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate

    @property
    def expected_s(self) -> float:
        return (self.stated_frames or 0) / self.sample_rate


def _decode(path: str, file: FileIO, content_hash: str, limits: Limits) -> Track:
    attempt = _best_attempt(file, limits)
    _check_signal(attempt, limits)
    features = attempt.accumulator.finish()
    tags = read_tags(file, path)
    return Track(
        path,
        features,
        attempt.duration_s,
        attempt.sample_rate,
        attempt.channels,
        attempt.decoder,
        content_hash,
        tags.texts,
        tags.error,
        audio_hash(file),
    )


def _best_attempt(file: FileIO, limits: Limits) -> _Attempt:
    """Decode with the first decoder. If it fails or falls short, use the second too. The longer result counts."""
    best: _Attempt | None = None
    failures: list[str] = []
    for opener in decoders(file):
        try:
            attempt = _attempt(opener, file, limits)
        except RejectionError as error:
            if error.reason is not Reason.UNREADABLE:
                raise
            failures.append(error.message)
            continue
        if best is None or attempt.frames > best.frames:
            best = attempt
        if attempt.frames and attempt.duration_s >= limits.min_complete * attempt.expected_s:
            break
    if best is None:
        raise RejectionError(Reason.UNREADABLE, "No decoder reads it: " + " ".join(failures))
    return best


def _attempt(opener: Opener, file: FileIO, limits: Limits) -> _Attempt:
    file.seek(0)
    with opener(file, limits) as stream:
        accumulator = FeatureAccumulator(stream.sample_rate)
        attempt = _Attempt(stream.decoder, stream.sample_rate, stream.channels, stream.stated_frames, accumulator)
        for block in stream.blocks:
            attempt.frames += len(block)
            _check_length(attempt.duration_s, limits)
            # `min` and `max` return NaN if a sample is NaN. So two fast passes check finiteness and silence.
            attempt.lowest = float(np.minimum(attempt.lowest, block.min()))
            attempt.highest = float(np.maximum(attempt.highest, block.max()))
            if not -LARGEST_SAMPLE <= attempt.lowest <= attempt.highest <= LARGEST_SAMPLE:
                raise RejectionError(Reason.NOT_FINITE, "Some samples are NaN, infinite or absurdly large.")
            accumulator.add(block)
    return attempt


def _check_length(duration_s: float, limits: Limits) -> None:
    if duration_s > limits.max_duration_s:
        message = f"It is longer than {limits.max_duration_s:,.0f} s."
        raise RejectionError(Reason.TOO_LONG, message)


def _check_signal(attempt: _Attempt, limits: Limits) -> None:
    if attempt.duration_s < limits.min_complete * attempt.expected_s:
        message = f"Only {attempt.duration_s:.2f} s of {attempt.expected_s:.2f} s decode."
        raise RejectionError(Reason.TRUNCATED, message)
    if attempt.duration_s < limits.min_duration_s:
        message = f"It lasts {attempt.duration_s:.3f} s, less than {limits.min_duration_s:g} s."
        raise RejectionError(Reason.TOO_SHORT, message)
    if attempt.highest - attempt.lowest <= limits.min_peak_to_peak:
        raise RejectionError(Reason.SILENT, "The file is silent: all samples are (nearly) the same.")
