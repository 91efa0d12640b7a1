"""The names, columns and types of the tables of the lake. All are Delta tables below ``lake_uri``.

Raise `SCHEMA_VERSION` whenever a column changes. A test fails if the tables change and the version does not.
"""

from __future__ import annotations

from typing import Final

from segue.audio.results import TAG_NAMES

SCHEMA_VERSION: Final = 5

PARTITION: Final = "partition_date"
"""The day on which a track entered the corpus. It is assigned once. A run replaces the rows of its days."""

FILE: Final = "track_id string, path string, size_bytes bigint, mtime_ns bigint"
"""One audio file. `path` is relative to the music folder, written as `segue.corpus.paths` says."""

INVENTORY: Final = f"{FILE}, first_seen timestamp, partition_date date"

AUDIO: Final = "duration_s double, sample_rate int, channels int, decoder string"

TAGS: Final = ", ".join(f"tag_{name} string" for name in (*TAG_NAMES, "error"))
"""`tag_error` says why the tags of a file cannot be read."""

CONTENT: Final = f"{FILE}, content_hash string, feature_version string"

FEATURES: Final = f"{CONTENT}, {AUDIO}, {TAGS}, features array<float>, partition_date date"

REJECTS: Final = f"{CONTENT}, reason string, message string, partition_date date"

EXTRACTED: Final = f"{REJECTS}, {AUDIO}, {TAGS}, features array<float>"
"""Result of extracting a file: a row of `FEATURES` if `reason` is null, else one of `REJECTS`."""

TRACKS: Final = (
    "track_id string, title string, artist string, album string, genre string, genres array<string>, type string,"
    " language string, split string, year int, duration_s double, path string, feature_version string,"
    " sample_rate int, content_hash string, features array<float>, flags array<string>, changes array<string>,"
    " partition_date date"
)
"""The integrated dataset.

`flags` are reasons to distrust a track, such as ``duplicate_content:<track_id>`` or
``outlier:spectral_centroid``. `changes` say what cleaning did to the row, such as ``title_from_tag``. `genres` are
all genres that a track names, and `genre` is the first of them or its top genre. `year` is that of the release.
`split` is the source's own division into training, validation and test tracks, if it has one.
"""

TABLES: Final = {"inventory": INVENTORY, "features": FEATURES, "rejects": REJECTS, "tracks": TRACKS}


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
