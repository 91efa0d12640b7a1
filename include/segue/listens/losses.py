"""Losses: what Kafka or MongoDB held before and no longer holds, found by comparing the two.

The listens in MongoDB follow the topic of listens. With each batch, MongoDB notes the offsets up to which it
follows it, before the same offsets are committed in Kafka. So two things show a loss:

- The offsets in MongoDB are behind those committed in Kafka: the database is empty, or an older copy of it.
- The topic ends before the offsets in MongoDB, or begins later than before, or is another topic of the same name:
  Kafka has lost messages.

Single documents and rows that are gone are found by :mod:`segue.listens.comparing`.

A loss stays noted until `segue rebuild` has repaired it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pymongo.database import Database

from segue.connections import champions, storage
from segue.connections.windows import Offsets, OffsetWindow, differ
from segue.errors import ServiceUnavailableError
from segue.listens import lake_table
from segue.listens.store import COLLECTION as LISTENS
from segue.runs.summaries import COLLECTION as SUMMARIES
from segue.settings import Settings
from segue.tracks import collection
from segue.tracks.collection import ANNOUNCED

COLLECTION = "losses"

STORES = ("kafka", "mongodb", "lake", "models")

TRAINED_BY = {"recommender": "recommender", "genre": "genre_model"}
"""The DAG that trains each model, by the name of the model."""

COUNTED = 100_000
"""Up to so many listens are counted. More are estimated."""


@dataclass(frozen=True)
class Loss:
    """Something that a store lacks.

    Parameters
    ----------
    store
        The store that lacks it, one of `STORES`.
    count
        Number of listens, accounts or tracks that are missing. 0 if it is not known.
    sentence
        What is missing, and the command that repairs it.
    """

    store: str
    count: int
    sentence: str


class Followed:
    """The offsets up to which MongoDB follows a topic, and the losses that were noticed.

    Parameters
    ----------
    database
        The corpus' database.
    topic
        Name of the topic of listens.
    """

    def __init__(self, database: Database[dict[str, Any]], topic: str) -> None:
        self._database = database
        self._notes = database[COLLECTION]
        self._topic = topic

    def offsets(self) -> Offsets | None:
        """Return the noted offsets. None if there are none, as in a new database or one of an earlier version."""
        note = self._note()
        return Offsets(note["offsets"], note.get("topic_id")) if "offsets" in note else None

    def note(self, offsets: Offsets) -> None:
        """Note that all events before these offsets are stored."""
        noted = {"offsets": _by_partition(offsets), "topic_id": offsets.topic_id}
        self._notes.update_one({"_id": self._topic}, {"$set": noted}, upsert=True)

    def begins(self, starts: Offsets) -> None:
        """Note the first offset of each partition, before which nothing is missed."""
        self._notes.update_one({"_id": self._topic}, {"$set": {"starts": _by_partition(starts)}}, upsert=True)

    def compare(self, backlog: OffsetWindow, whole: OffsetWindow, *, kept: bool) -> None:
        """Look for losses, and add them to those that were noticed before. Then note where the backlog begins.

        Parameters
        ----------
        backlog
            What the group that stores listens has not committed.
        whole
            All messages of the topic.
        kept
            Whether Kafka deletes no message of the topic by itself.
        """
        noted, before = self.offsets(), Offsets(self._note().get("starts", {}))
        if noted is None:
            lost_here, lost_there = self._missing_without_a_note(backlog, whole), 0
        elif differ(noted.topic_id, whole.topic_id):
            lost_here, lost_there = 0, max(sum(noted.values()) - whole.size, 0)
        else:
            lost_here, lost_there = backlog.starts.ahead_of(noted), noted.ahead_of(whole.ends)
            if kept and before:
                lost_there += whole.starts.ahead_of(before)
        found = {"mongodb": lost_here, "kafka": lost_there}
        if any(found.values()):
            self._notes.update_one({"_id": self._topic}, {"$inc": found}, upsert=True)
        self.begins(whole.starts)
        self.note(backlog.starts)

    def lost(self) -> Mapping[str, int]:
        """Return how many listens each store has lost."""
        note = self._note()
        return {"kafka": note.get("kafka", 0), "mongodb": note.get("mongodb", 0)}

    def count(self, store: Literal["kafka", "mongodb"], lost: int) -> None:
        """Note how much a store lacks now."""
        self._notes.update_one({"_id": self._topic}, {"$set": {store: lost}}, upsert=True)

    def missing_in_lake(self) -> int:
        """Return how many listens the lake lacks."""
        return int(self._note().get("lake", 0))

    def miss(self, store: Literal["kafka", "mongodb", "lake"], lost: int) -> None:
        """Note that a store lacks some listens, unless it is noted that it lacks more."""
        if lost:
            self._notes.update_one({"_id": self._topic}, {"$max": {store: lost}}, upsert=True)

    def repaired(self, store: Literal["kafka", "mongodb", "lake"]) -> None:
        """Note that a store has everything again."""
        self._notes.update_one({"_id": self._topic}, {"$set": {store: 0}}, upsert=True)

    def _note(self) -> dict[str, Any]:
        return self._notes.find_one({"_id": self._topic}) or {}

    def _missing_without_a_note(self, backlog: OffsetWindow, whole: OffsetWindow) -> int:
        """Guess what an unmarked database lacks. It is whole if it has half of what was read.

        Messages may be repeated, unreadable or taken back, so their exact number says little.
        """
        read = backlog.starts.ahead_of(whole.starts)
        held = self._held(read) if read else 0
        return read - held if held * 2 < read else 0

    def _held(self, expected: int) -> int:
        """Estimate the number of stored listens.

        SecantusDB's servers read all documents to count them. Ids are hexadecimal hashes, so one in 256 begins
        with ``ff``.
        """
        listens = self._database[LISTENS]
        if expected < COUNTED:
            return listens.count_documents({})
        return 256 * sum(1 for _ in listens.find({"_id": {"$gte": "ff"}}, {"_id": 1}))


def _by_partition(offsets: Offsets) -> dict[str, int]:
    return {str(partition): offset for partition, offset in offsets.items()}


def find(database: Database[dict[str, Any]], settings: Settings) -> list[Loss]:
    """Find what MongoDB, Kafka, the lake and the registry of models have lost.

    Parameters
    ----------
    database
        The corpus' database.
    settings
        Names of the topics, and where the lake and the registry are.

    Returns
    -------
    list of Loss
        Empty if nothing is missing.
    """
    return [*find_at_once(database, settings), *missing_tracks(database, settings)]


def missing_tracks(database: Database[dict[str, Any]], settings: Settings) -> list[Loss]:
    """Find whether MongoDB lacks some of the published tracks; see :func:`find`.

    SecantusDB's servers read all tracks to count them, which takes about a second for 100,000.
    """
    if not _has_table(settings.lake_uri, "tracks") or not (count := collection.missing(database)):
        return []
    remedy = "Trigger the DAG `corpus` without dates: it publishes them again."
    return [Loss("mongodb", count, f"MongoDB lacks {count:,} of the published tracks. {remedy}")]


def find_at_once(database: Database[dict[str, Any]], settings: Settings) -> list[Loss]:
    """Find all losses but those of :func:`missing_tracks`; see :func:`find`."""
    followed = Followed(database, settings.listens_topic)
    lost = followed.lost()
    losses = []
    if count := Followed(database, settings.accounts_topic).lost()["mongodb"]:
        remedy = "`segue rebuild accounts` restores them from their mirror in Kafka."
        losses.append(Loss("mongodb", count, f"MongoDB lacks {count:,} accounts, or has older ones. {remedy}"))
    if count := lost["mongodb"]:
        remedy = "`segue rebuild listens` writes them again, from Kafka and the lake."
        losses.append(Loss("mongodb", count, f"MongoDB lacks {count:,} listens that it had stored. {remedy}"))
    if count := lost["kafka"]:
        remedy = "`segue rebuild topic` sends them again, from the lake and MongoDB."
        losses.append(
            Loss(
                "kafka",
                count,
                f"Kafka has lost {count:,} messages of the topic {settings.listens_topic}. {remedy}",
            )
        )
    if count := followed.missing_in_lake():
        remedy = "Trigger the DAG `listens` with mode `rebuild`: it writes them again, from Kafka."
        losses.append(Loss("lake", count, f"The lake lacks {count:,} listens that MongoDB has. {remedy}"))
    has_listens, has_tracks = (_has_table(settings.lake_uri, table) for table in (lake_table.TABLE, "tracks"))
    if not has_listens and _has_reported(database, "^listens/.*/ingest_listens$", {"held.listens": {"$gt": 0}}):
        sentence = "The lake has no listens, although the DAG `listens` has written some. Run it again."
        losses.append(Loss("lake", 0, sentence))
    if not has_tracks and _has_reported(database, "^corpus/.*/publish$", {}):
        sentence = "The lake has no tracks, although the DAG `corpus` has written some. Run it again."
        losses.append(Loss("lake", 0, sentence))
    # Of the tracks themselves, SecantusDB's servers would read all to find any.
    if has_tracks and database[ANNOUNCED].find_one({}, {"_id": 1}) is None:
        sentence = "MongoDB has no published tracks, although the lake has some. The DAG `corpus` publishes them."
        losses.append(Loss("mongodb", 0, sentence))
    return [*losses, *_lost_models(database, settings)]


def _lost_models(database: Database[dict[str, Any]], settings: Settings) -> Iterator[Loss]:
    try:
        serving = champions.read(settings)
    except ServiceUnavailableError:
        return  # whoever serves a model reports the error
    for model, dag in TRAINED_BY.items():
        if model not in serving and _has_reported(database, f"^{dag}/", {"decision": "promoted"}):
            lost = f"The registry has no model {model!r}, although the DAG `{dag}` has promoted one."
            yield Loss("models", 0, f"{lost} Run it again: it trains a new one from the lake and MongoDB.")


def _has_table(lake_uri: str, table: str) -> bool:
    return bool(storage.names(f"{lake_uri}/{table}/_delta_log"))


def _has_reported(database: Database[dict[str, Any]], ids: str, more: dict[str, Any]) -> bool:
    """Return whether a job has stored a report. The id of a report is ``<dag_id>/<run_id>/<job>``."""
    return database[SUMMARIES].find_one({"_id": {"$regex": ids}, **more}, {"_id": 1}) is not None
