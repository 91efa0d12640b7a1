"""The result of an extraction: a track, its tags, or a rejection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.embedding.definition import Embedding
from segue.audio.musical.definition import Musical
from segue.audio.reasons import Reason

IDENTIFIERS: Final = ("recording_mbid", "release_mbid", "artist_mbids", "isrc", "acoustid")
"""Tags that identify a recording, its release and its artists in MusicBrainz and elsewhere."""

TAG_NAMES: Final = (
    *("title", "artist", "album", "genre", "date", "album_artist", "track_number", "disc_number"),
    *IDENTIFIERS,
)

TAGS_VERSION: Final = 1
"""Raise it when more tags are read, or other values. The next run then reads the tags of known files again."""

MAX_TAG_CHARACTERS: Final = 1_000
"""Longer texts are cut, since a tag may hold a whole book."""


Span = tuple[float, float | None]
"""A part of a file: its start and end in seconds. None is the end of the file."""

WHOLE: Final[Span] = (0.0, None)


@dataclass(frozen=True)
class Tags:
    """The tags of a file.

    Parameters
    ----------
    texts
        Text of each tag, by the names of `TAG_NAMES`. Different values of one tag are joined by ``"; "``.
        A blank or absent tag is None.
    error
        One sentence if the file has tags that cannot be read, else None.
    audio_hash
        `decoding.ffmpeg.audio_hash` of the file; None if it was not computed.
    """

    texts: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(TAG_NAMES))
    error: str | None = None
    audio_hash: str | None = None


@dataclass(frozen=True)
class Header:
    """What the header of a file states.

    Parameters
    ----------
    length_s
        Length of the audio, seconds. None if the file states none, or only an estimate.
    """

    length_s: float | None


@dataclass(frozen=True, eq=False)
class Track:
    """The features and properties of a file.

    Parameters
    ----------
    path
        Path as passed to the extraction.
    features
        Shape (518,), float32, in the order of `definition.COLUMNS`.
    duration_s
        Decoded length in seconds.
    sample_rate
        In Hz.
    channels
        Channels in the file. The features are those of their mean.
    decoder
        ``soundfile`` (libsndfile) or ``pyav`` (FFmpeg).
    content_hash
        BLAKE2b of the file's bytes, 32 hexadecimal digits.
    tags
        Text of each tag, by the names of `TAG_NAMES`. None for an absent tag.
    tags_error
        One sentence if the file has tags that cannot be read, else None.
    audio_hash
        `decoding.ffmpeg.audio_hash` of the file.
    musical
        Tempo, key and loudness. None if they were not measured.
    embedding
        Output of the model that the limits name. None if they name none.
    """

    path: str
    features: NDArray[np.float32]
    duration_s: float
    sample_rate: int
    channels: int
    decoder: str
    content_hash: str
    tags: dict[str, str | None] = field(default_factory=dict)
    tags_error: str | None = None
    audio_hash: str = ""
    musical: Musical | None = None
    embedding: Embedding | None = None


@dataclass(frozen=True)
class Rejection:
    """The reason why a file has no features.

    Parameters
    ----------
    path
        Path as passed to the extraction.
    reason
        Reason code. docs/rejections.md lists the remedies.
    message
        One sentence.
    content_hash
        As in `Track`. None if the file was rejected before it was hashed.
    """

    path: str
    reason: Reason
    message: str
    content_hash: str | None = None


Outcome = Track | Tags | Header | Rejection
"""What an operation on a file may return."""
