"""The names, columns and types of the tables of the lake. All are Delta tables below ``lake_uri``.

Raise `SCHEMA_VERSION` whenever a column changes. A test fails if the tables change and the version does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from segue.audio.embedding.definition import Embedding
from segue.audio.musical.definition import MUSICAL_VERSION, Musical
from segue.audio.results import TAG_NAMES, TAGS_VERSION

SCHEMA_VERSION: Final = 9

PARTITION: Final = "partition_date"
"""The day on which a track entered the corpus. It is assigned once. A run replaces the rows of its days."""

FILE: Final = "track_id string, path string, size_bytes bigint, mtime_ns bigint"
"""One audio file. `path` is relative to the music folder, written as `segue.corpus.paths` says."""

INVENTORY: Final = f"{FILE}, first_seen timestamp, partition_date date, part string"
"""`part` is a `segue.corpus.parts.Part` if the track is one of an album's file. Otherwise it is blank, or null in
rows of an older lake."""

AUDIO: Final = "duration_s double, sample_rate int, channels int, decoder string, audio_hash string"
"""`audio_hash` does not change with the tags. It is blank if FFmpeg cannot read the file. It is null in rows of an
older lake."""

MUSICAL: Final = (
    "tempo_bpm double, tempo_confidence double, tempo_half_confidence double, tempo_double_confidence double,"
    " beat_regularity double, key_tonic string, key_mode string, key_confidence double, loudness_lufs double,"
    " true_peak_dbtp double, musical_version int"
)
"""The musical descriptors of `segue.audio.musical.definition.Musical`. `musical_version` is the `MUSICAL_VERSION`
of the code that measured them. It is null in rows of an older lake, and if `audio_musical` was off."""

EMBEDDING: Final = "embedding array<float>, embedding_version string"
"""The output of the model that `audio_embedding_model` names. `embedding_version` is the `version` of
`segue.audio.embedding.definition.Embedding`. It is null if there was no model."""

TAGS: Final = ", ".join(f"tag_{name} string" for name in (*TAG_NAMES, "error")) + ", tags_version int"
"""`tag_error` says why the tags of a file cannot be read. `tags_version` is the `TAGS_VERSION` of the code that
read them. It is null in rows of an older lake."""

CONTENT: Final = f"{FILE}, content_hash string, feature_version string"

MEASURED: Final = (
    f"{AUDIO}, {TAGS}, features array<float>, {MUSICAL}, musical_error string, {EMBEDDING}, embedding_error string"
)
"""`musical_error` says why a file has features but no musical descriptors, and `embedding_error` why it has no
embedding."""

FEATURES: Final = f"{CONTENT}, {MEASURED}, partition_date date"

REJECTS: Final = f"{CONTENT}, reason string, message string, partition_date date"

EXTRACTED: Final = f"{REJECTS}, {MEASURED}"
"""Result of extracting a file: a row of `FEATURES` if `reason` is null, else one of `REJECTS`."""

DEPARTED: Final = f"{FEATURES}, first_seen timestamp"
"""Tracks whose file is gone, as they were. `features` is null if the file was rejected."""

TRACKS: Final = (
    "track_id string, title string, artist string, album string, genre string, genres array<string>, type string,"
    " language string, split string, year int, duration_s double, path string, feature_version string,"
    " sample_rate int, content_hash string, features array<float>, flags array<string>, changes array<string>,"
    " album_artist string, track_number int, disc_number int, recording_mbid string, release_mbid string,"
    " artist_mbids array<string>, isrc string, acoustid string, tags_version int, recording string,"
    f" {MUSICAL}, {EMBEDDING}, partition_date date"
)
"""The integrated dataset.

`recording` is the id of the first track of the same recording, see `segue.corpus.recordings`. It is null in rows
of an older lake. `flags` are reasons to distrust a track, such as ``duplicate:sound`` or
``outlier:spectral_centroid``. `changes` say what cleaning did to the row, such as ``title_from_tag``. `genres` are
all genres that a track names, and `genre` is the first of them or its top genre. `year` is that of the release.
`split` is the source's own division into training, validation and test tracks, if it has one. MBIDs and AcoustIDs
are UUIDs in lower case, and an ISRC has 12 capital letters and digits.
"""

TABLES: Final = {
    "inventory": INVENTORY,
    "features": FEATURES,
    "rejects": REJECTS,
    "departed": DEPARTED,
    "tracks": TRACKS,
}


BESIDE: Final[Mapping[str, Sequence[str]]] = {
    name: [*(column.split()[0] for column in group.split(", ")), f"{name}_error"]
    for name, group in (("musical", MUSICAL), ("embedding", EMBEDDING))
}
"""Columns that are extracted beside the 518 features, by group. ``<group>_version`` is their version."""


def columns(schema: str) -> list[str]:
    """List the columns of a schema of this module.

    Parameters
    ----------
    schema : str
        Such as `FEATURES`.

    Returns
    -------
    list of str
    """
    return [column.split()[0] for column in schema.split(", ")]


def musical_values(musical: Musical | None) -> dict[str, Any]:
    """Return the columns of `MUSICAL` and `musical_error` for a file that this version of Segue has extracted.

    Parameters
    ----------
    musical : Musical or None
        None if the descriptors were not measured. Then the columns stay null.
    """
    if musical is None:
        return {}
    values = dict(vars(musical))
    return {"musical_error": values.pop("error"), "musical_version": MUSICAL_VERSION} | values


def embedding_values(embedding: Embedding | None) -> dict[str, Any]:
    """Return the columns of `EMBEDDING` and `embedding_error` for a file that this version of Segue has extracted.

    Parameters
    ----------
    embedding : Embedding or None
        None if there is no model. Then the columns stay null.
    """
    if embedding is None:
        return {}
    return {
        "embedding": embedding.vector,
        "embedding_version": embedding.version,
        "embedding_error": embedding.error,
    }


def tag_values(texts: Mapping[str, str | None], error: str | None) -> dict[str, Any]:
    """Return the columns of `TAGS` for a file whose tags this version of Segue has read.

    Parameters
    ----------
    texts : mapping of str to str or None
        Text of each tag, by the names of `TAG_NAMES`.
    error : str or None
        Why the tags cannot be read. It may name a file whose name is not UTF-8, which the lake cannot store.
    """
    said = error and error.encode("utf-8", "replace").decode()
    tags = {f"tag_{name}": text for name, text in texts.items()}
    return tags | {"tag_error": said, "tags_version": TAGS_VERSION}
