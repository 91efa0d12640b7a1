"""The collection `tracks`: the form of its documents, its indexes, and the migration from the previous form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import islice, pairwise
from typing import Any, Final

from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.database import Database

from segue.audio.definition import N_FEATURES
from segue.audio.musical.definition import Musical
from segue.errors import CorpusError
from segue.tracks.vectors import DESCRIPTORS, SIZE_BYTES, WRONG_FORM, describe, pack

COLLECTION: Final = "tracks"
ANNOUNCED: Final = "announced"
"""Collection of the days whose tracks are published, with their numbers. It has one document a day."""
PARTITION: Final = "partition_date"
INDEXES: Final = (PARTITION, "genre", "artist", "recording")

OPTIONAL: Final = (
    "album_artist",
    "track_number",
    "disc_number",
    "recording_mbid",
    "release_mbid",
    "artist_mbids",
    "isrc",
    "acoustid",
    *(each.name for each in fields(Musical) if each.name != "error"),
    "musical_version",
)
"""Fields that a document has only if the track's tags have them, or the track has such a musical descriptor. Other
unknown values are null."""

FORM: Final = 5
"""Number of the form of a document. Raise it if the same track gets a different document, for example other
`descriptors`. The next publication then replaces every document. A test fails if the form changes and the number
does not."""

VALIDATOR: Final[dict[str, Any]] = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": [
            *("title", "duration_s", "path", "feature_version", "features", "descriptors", "flags", PARTITION)
        ],
        "properties": {
            "_id": {"bsonType": "string", "minLength": 1},
            "title": {"bsonType": "string", "minLength": 1},
            "duration_s": {"bsonType": "double", "minimum": 0},
            "features": {"bsonType": "binData"},
            "descriptors": {
                "bsonType": "object",
                "required": [*DESCRIPTORS],
                "properties": {name: {"bsonType": "double"} for name in DESCRIPTORS},
            },
            "flags": {"bsonType": "array", "items": {"bsonType": "string"}},
            # No pattern is set. SecantusDB's Rust server would compile it for each document. This would take five
            # sixths of the time of an insert.
            PARTITION: {"bsonType": "string", "minLength": 10, "maxLength": 10},
        },
    },
    "$expr": {"$eq": [{"$binarySize": "$features"}, SIZE_BYTES]},
}
"""The form that every reader may rely on. MongoDB refuses other documents."""

OF_DOUBLES: Final = {"features": {"$size": N_FEATURES}}
"""Finds documents of the previous form, whose vector is an array of 518 doubles."""

MIGRATED_AT_ONCE: Final = 500

READ_AT_ONCE: Final = 5_000
"""Number of tracks of a page, unless a day has more."""


def prepare(database: Database[Any], say: Callable[[str], None] = lambda _: None) -> Collection[Any]:
    """Migrate the collection, its indexes and its validator to the current form.

    This function sets the validator last. If the validator is already the current one, the documents are not read.
    So the next call continues a migration that was killed, and costs next to nothing after a complete one.

    Parameters
    ----------
    database : pymongo.database.Database
    say : callable, optional
        Called with a sentence about the progress of the migration.

    Returns
    -------
    pymongo.collection.Collection
    """
    collection = database[COLLECTION]
    is_current = _validator(database) == VALIDATOR
    if not is_current:
        _migrate(collection, say)
    for field in INDEXES:
        collection.create_index(field)
    if not is_current:
        database.command("collMod", COLLECTION, validator=VALIDATOR)
    return collection


def published(database: Database[Any]) -> int:
    """Add up the tracks of the announced days. A count would make the document server read all tracks."""
    return sum(day["tracks"] for day in database[ANNOUNCED].find({}, {"tracks": 1}))


def in_pages(database: Database[Any], *names: str) -> Iterator[list[dict[str, Any]]]:
    """Read fields of all tracks, some days at a time.

    SecantusDB's servers hold the whole documents of a query in memory. For all of 105,000 tracks these are some
    0.4 GB.

    Parameters
    ----------
    database : pymongo.database.Database
    *names : str
        The fields. If there are none, the whole documents are read.

    Yields
    ------
    list of dict
        Documents in the order of their ids, which every document has. A page may be empty.
    """
    days = sorted((day["_id"], day["tracks"]) for day in database[ANNOUNCED].find({}, {"tracks": 1}))
    bounds, tracks = [], 0
    for day, of_day in days:
        if tracks and tracks + of_day > READ_AT_ONCE:
            bounds.append(day)
            tracks = 0
        tracks += of_day
    # Open at both ends, so that a day that is not announced yet is read, too.
    for first, after in pairwise([None, *bounds, None]):
        days_of_page = {operator: day for operator, day in (("$gte", first), ("$lt", after)) if day}
        wanted = {PARTITION: days_of_page} if days_of_page else {}
        found = database[COLLECTION].find(wanted, dict.fromkeys(names, 1) or None)
        yield sorted(found, key=lambda each: str(each["_id"]))


def missing(database: Database[Any]) -> int:
    """Count the documents that the collection lacks, according to the numbers of tracks of the announced days."""
    expected = published(database)
    return max(expected - database[COLLECTION].estimated_document_count(), 0) if expected else 0


def is_of_doubles(database: Database[Any]) -> bool:
    """Return whether the collection has the previous form, according to its validator."""
    properties = _validator(database).get("$jsonSchema", {}).get("properties", {})
    return bool(properties.get("features", {}).get("bsonType") == "array")


def require_form(database: Database[Any]) -> None:
    """Refuse to read a collection of the previous form.

    Raises
    ------
    CorpusError
        If the collection has the previous form. The message says what to do.
    """
    if is_of_doubles(database):
        raise CorpusError(WRONG_FORM)


def _validator(database: Database[Any]) -> dict[str, Any]:
    for found in database.list_collections(filter={"name": COLLECTION}):
        validator: dict[str, Any] = found["options"].get("validator", {})
        return validator
    return {}


def _migrate(collection: Collection[Any], say: Callable[[str], None]) -> None:
    """Replace documents of the previous form, page by page."""
    done = 0
    found = collection.find(OF_DOUBLES, batch_size=MIGRATED_AT_ONCE)
    while page := list(islice(found, MIGRATED_AT_ONCE)):
        vectors = pack([document["features"] for document in page])
        replaced = [
            ReplaceOne(
                # Skip a document that was published again since it was read.
                {"_id": document["_id"], **OF_DOUBLES},
                document | {"features": vector, "descriptors": describe(vector)},
            )
            for document, vector in zip(page, vectors, strict=True)
        ]
        collection.bulk_write(replaced, ordered=False, bypass_document_validation=True)
        done += len(page)
        say(f"{done:,} tracks in MongoDB now hold their features as float32 values.")
