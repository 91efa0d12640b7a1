"""Extract the 518 features and the tags of a file, or find the reason why it has none. Identify a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from segue.audio.decoding.decode import Opener, decoders
from segue.audio.decoding.ffmpeg import audio_hash
from segue.audio.decoding.stream import Samples
from segue.audio.embedding.definition import Embedding
from segue.audio.embedding.meter import EmbeddingMeter
from segue.audio.embedding.session import embedder
from segue.audio.features import FeatureAccumulator
from segue.audio.hashing import content_hash as hash_of
from segue.audio.kernels.signal import mix
from segue.audio.limits import Limits
from segue.audio.musical.definition import Musical
from segue.audio.musical.meter import MusicalMeter
from segue.audio.opening import opened
from segue.audio.reasons import Reason, RejectionError
from segue.audio.results import WHOLE, Header, Rejection, Span, Tags, Track
from segue.audio.tags import read_tags

__all__ = ["Header", "Rejection", "Span", "Tags", "Track", "extract", "extract_spans", "header_of", "tags_of"]

Features = NDArray[np.float32]

Read = TypeVar("Read", Tags, Header)


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
    [outcome] = extract_spans(path, limits or Limits(), [WHOLE])
    return outcome


def extract_spans(path: str | Path, limits: Limits, spans: Sequence[Span]) -> list[Track | Rejection]:
    """Extract the features of spans of one file, such as the tracks of an album. The file is decoded once.

    Parameters
    ----------
    path, limits
        As for `extract`.
    spans
        Start and end of each span, in seconds. They must not overlap. The end None is that of the file.

    Returns
    -------
    list of Track or Rejection
        One for each span. Tags and hashes are those of the whole file.
    """
    content_hash = None
    try:
        with opened(path, limits) as file:
            content_hash = hash_of(file)
            return _decode(str(path), file, content_hash, limits, spans)
    except RejectionError as error:
        rejected = Rejection(str(path), error.reason, error.message, content_hash)
    except MemoryError:
        message = "The decoder needs more memory than it may use."
        rejected = Rejection(str(path), Reason.OUT_OF_MEMORY, message, content_hash)
    return [rejected] * len(spans)


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
    return _read(path, limits, lambda file: replace(read_tags(file, str(path)), audio_hash=audio_hash(file)))


def header_of(path: str | Path, limits: Limits) -> Header | Rejection:
    """Read the length that a file states, without decoding it. The parameters are those of `extract`."""
    return _read(path, limits, lambda file: Header(_stated_s(file, limits)))


def _stated_s(file: FileIO, limits: Limits) -> float | None:
    for opener in decoders(file):
        file.seek(0)
        with suppress(RejectionError), opener(file, limits) as stream:
            if stream.stated_frames:
                return stream.stated_frames / stream.sample_rate
    return None


def _read(path: str | Path, limits: Limits, read: Callable[[FileIO], Read]) -> Read | Rejection:
    try:
        with opened(path, limits) as file:
            return read(file)
    except RejectionError as error:
        return Rejection(str(path), error.reason, error.message)


class _Section:
    """A span of the file while it is decoded. Its features are computed as soon as its end has been decoded."""

    def __init__(self, span: Span, sample_rate: int, channels: int, limits: Limits) -> None:
        start_s, end_s = span
        self.sample_rate = sample_rate
        self.musical: Musical | None = None
        self.embedding: Embedding | None = None
        self._channels = channels
        self._limits = limits
        self._start = round(start_s * sample_rate)
        self._end = None if end_s is None else round(end_s * sample_rate)
        self._accumulator: FeatureAccumulator | None = None
        self._meter: MusicalMeter | None = None
        self._embedding_meter: EmbeddingMeter | None = None
        self._frames = 0
        self._lowest, self._highest = np.inf, -np.inf
        self._result: Features | RejectionError | None = None

    @property
    def duration_s(self) -> float:
        return self._frames / self.sample_rate

    def add(self, block: Samples, channels: Samples, position: int) -> None:
        """Take the samples of the span from a block of the file that begins at `position`.

        `block` is the mean of `channels`.
        """
        until = len(block) if self._end is None else max(self._end - position, 0)
        inside = slice(max(self._start - position, 0), until)
        samples = block[inside]
        if len(samples):
            # `min` and `max` return NaN if a sample is NaN. So two fast passes check finiteness and silence.
            self._lowest = float(np.minimum(self._lowest, samples.min()))
            self._highest = float(np.maximum(self._highest, samples.max()))
            if not -LARGEST_SAMPLE <= self._lowest <= self._highest <= LARGEST_SAMPLE:
                raise RejectionError(Reason.NOT_FINITE, "Some samples are NaN, infinite or absurdly large.")
            self._frames += len(samples)
            self._accumulator = self._accumulator or self._start_features()
            self._accumulator.add(samples)
            if self._meter:
                self._meter.add(channels[inside])
            if self._embedding_meter:
                self._embedding_meter.add(samples)
        if self._end is not None and position + len(block) >= self._end:
            self.result()

    def result(self) -> Features | RejectionError:
        """Return the features of the samples so far, or the reason why they have none."""
        if self._result is None:
            self._result = self._fault() or self._features()
            self._accumulator = self._meter = self._embedding_meter = None  # their memory is for the next span
        return self._result

    def _start_features(self) -> FeatureAccumulator:
        if self._limits.musical:
            self._meter = MusicalMeter(self.sample_rate, self._channels)
        if self._limits.embedding:
            self._embedding_meter = EmbeddingMeter(embedder(self._limits.embedding), self.sample_rate)
        return FeatureAccumulator(self.sample_rate, listener=self._meter)

    def _features(self) -> Features:
        features = (self._accumulator or self._start_features()).finish()
        self.musical = self._meter.finish() if self._meter else None
        self.embedding = self._embedding_meter.finish() if self._embedding_meter else None
        return features

    def _fault(self) -> RejectionError | None:
        if self._start and not self._frames:
            message = f"It begins at {self._start / self.sample_rate:.2f} s, and its file ends before that."
            return RejectionError(Reason.TOO_SHORT, message)
        if self.duration_s < self._limits.min_duration_s:
            message = f"It lasts {self.duration_s:.3f} s, less than {self._limits.min_duration_s:g} s."
            return RejectionError(Reason.TOO_SHORT, message)
        if self._highest - self._lowest <= self._limits.min_peak_to_peak:
            return RejectionError(Reason.SILENT, "The file is silent: all samples are (nearly) the same.")
        return None


@dataclass
class _Attempt:
    """The result of one decoder."""

    decoder: str
    sample_rate: int
    channels: int
    stated_frames: int | None
    sections: list[_Section]
    frames: int = 0

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate

    @property
    def expected_s(self) -> float:
        return (self.stated_frames or 0) / self.sample_rate


def _decode(
    path: str, file: FileIO, content_hash: str, limits: Limits, spans: Sequence[Span]
) -> list[Track | Rejection]:
    attempt = _best_attempt(file, limits, spans)
    _check_complete(attempt, limits)
    results = [(section, section.result()) for section in attempt.sections]
    tags = read_tags(file, path)
    of_file = (tags.texts, tags.error, audio_hash(file))
    properties = (attempt.sample_rate, attempt.channels, attempt.decoder, content_hash)
    return [
        Rejection(path, result.reason, result.message, content_hash)
        if isinstance(result, RejectionError)
        else Track(path, result, section.duration_s, *properties, *of_file, section.musical, section.embedding)
        for section, result in results
    ]


def _best_attempt(file: FileIO, limits: Limits, spans: Sequence[Span]) -> _Attempt:
    """Decode with the first decoder. If it fails or falls short, use the second too. The longer result counts."""
    best: _Attempt | None = None
    failures: list[str] = []
    for opener in decoders(file):
        try:
            attempt = _attempt(opener, file, limits, spans)
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


def _attempt(opener: Opener, file: FileIO, limits: Limits, spans: Sequence[Span]) -> _Attempt:
    file.seek(0)
    with opener(file, limits) as stream:
        sections = [_Section(span, stream.sample_rate, stream.channels, limits) for span in spans]
        attempt = _Attempt(stream.decoder, stream.sample_rate, stream.channels, stream.stated_frames, sections)
        for channels in stream.channel_blocks:
            position, block = attempt.frames, mix(channels.T)
            attempt.frames += len(block)
            _check_length(attempt.duration_s, limits)
            for section in sections:
                section.add(block, channels, position)
    return attempt


def _check_length(duration_s: float, limits: Limits) -> None:
    if duration_s > limits.max_duration_s:
        message = f"It is longer than {limits.max_duration_s:,.0f} s."
        raise RejectionError(Reason.TOO_LONG, message)


def _check_complete(attempt: _Attempt, limits: Limits) -> None:
    if attempt.duration_s < limits.min_complete * attempt.expected_s:
        message = f"Only {attempt.duration_s:.2f} s of {attempt.expected_s:.2f} s decode."
        raise RejectionError(Reason.TRUNCATED, message)
