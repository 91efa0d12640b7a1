"""Write the listens of one store again from the others.

Their event ids stay the same, so no listen counts twice.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from pydantic import ValidationError
from pymongo.database import Database

from segue.connections import kafka, offsets, whole_topics
from segue.connections.damage import Damage
from segue.connections.windows import Offsets
from segue.errors import ServiceUnavailableError
from segue.listens.decoding import OBJECTS
from segue.listens.events import Listen, message
from segue.listens.feedback import Feedback, FeedbackStore
from segue.listens.lake_table import DAY
from segue.listens.losses import Followed
from segue.listens.removals import Removals, user_key
from segue.listens.store import ListenStore, event_of, in_parts
from segue.settings import Settings

if TYPE_CHECKING:
    from segue.listens.lake_table import ListensTable

PAGE = 1_000
ACKNOWLEDGED_S = 30.0


def in_lake(table: ListensTable) -> Iterator[Listen]:
    """Read the events of the lake."""
    for row in table.read().drop(DAY).toLocalIterator():
        objects = {name: json.loads(row[name]) if row[name] else None for name in OBJECTS}
        yield Listen.model_validate(row.asDict() | objects)


def in_kafka(settings: Settings, damaged: list[Damage] | None = None) -> Iterator[Listen]:
    """Read the events of the topic of listens. Unreadable messages are left to the dead letters.

    Damaged messages are passed over, and added to `damaged`.
    """
    for record in whole_topics.messages(kafka.config(settings), settings.listens_topic, damaged):
        try:
            yield Listen.model_validate_json(record.value or b"")
        except ValidationError:
            continue


def in_mongodb(database: Database[dict[str, Any]]) -> Iterator[Listen]:
    """Read the events of MongoDB."""
    return map(event_of, in_parts(database, "event"))


def rebuild_mongodb(settings: Settings, database: Database[dict[str, Any]], lake: Iterable[Listen]) -> int:
    """Store the listens that MongoDB lacks. Listens and users that were removed stay away.

    Parameters
    ----------
    settings : Settings
        Where Kafka is.
    database : pymongo.database.Database
        The corpus' database. Its removals must be complete.
    lake : iterable of Listen
        The events of the lake. They come before those of Kafka, because only the lake has the tracks that were
        matched later.

    Returns
    -------
    int
        Number of listens that were stored.
    """
    store, removals, stored = ListenStore(database), Removals(database), list[int]()
    for page in _pages(chain(lake, in_kafka(settings))):
        removals.store(page, lambda events: stored.append(store.put(events)), store.discard)
    Followed(database, settings.listens_topic).repaired("mongodb")
    return sum(stored)


def rebuild_topic(settings: Settings, database: Database[dict[str, Any]], lake: Iterable[Listen]) -> int:
    """Send the listens that Kafka lacks. Listens and users that were removed stay away.

    If some messages are damaged, they are deleted first, with all messages before them. MongoDB has these.

    The ids of all events are kept in memory, some 100 bytes each.

    Parameters
    ----------
    settings : Settings
        Where Kafka is. The topic must exist.
    database : pymongo.database.Database
        The corpus' database. It has the listens since the last run of the DAG `listens`, too.
    lake : iterable of Listen
        The events of the lake.

    Returns
    -------
    int
        Number of messages that were sent. Their timestamps are the times at which the listens were received.

    Raises
    ------
    ServiceUnavailableError
        If Kafka has not acknowledged a message, or MongoDB has not stored all messages that must be deleted.
    """
    removals, followed = Removals(database), Followed(database, settings.listens_topic)
    sent, damaged = 0, list[Damage]()
    known = {_digest(event) for event in in_kafka(settings, damaged)}
    if damaged:
        _delete(settings, followed, damaged)
        known = {_digest(event) for event in in_kafka(settings)}
    try:
        with kafka.producing(kafka.config(settings)) as producer:
            for page in _pages(chain(lake, in_mongodb(database))):
                standing = {_digest(event): event for event in removals.standing(page)}
                missing = [event for digest, event in standing.items() if digest not in known]
                _send(producer, settings.listens_topic, missing)
                known |= standing.keys()
                sent += len(missing)
    except KafkaError as error:
        raise ServiceUnavailableError(
            f"Kafka did not acknowledge a message: {error!r}. {sent:,} were sent. Run the command again: it sends "
            "only what is missing."
        ) from error
    followed.begins(offsets.whole_topic(kafka.config(settings), settings.listens_topic).starts)
    followed.repaired("kafka")
    return sent


def _delete(settings: Settings, followed: Followed, damaged: Sequence[Damage]) -> None:
    """Delete the damaged messages. Kafka can only delete all messages up to an offset.

    Raises
    ------
    ServiceUnavailableError
        If MongoDB has not stored all messages before the damaged ones yet.
    """
    ends = {each.where: each.end for each in sorted(damaged, key=lambda each: each.end)}
    stored = followed.offsets() or Offsets({})
    if behind := [where for where, end in ends.items() if stored.get(where.partition, 0) < end]:
        raise ServiceUnavailableError(
            f"MongoDB has not stored all messages of partition {behind[0].partition} yet that come before the "
            "damaged ones. The API stores them: run the command again in a minute."
        )
    followed.miss("kafka", sum(each.size for each in damaged))  # noted for the case that this is killed
    with kafka.admin(kafka.config(settings)) as admin:
        admin.delete_records(ends)


def rebuild_feedback(settings: Settings, database: Database[dict[str, Any]]) -> int:
    """Store the latest feedback of each user for each recording again, from Kafka.

    Returns
    -------
    int
        Number of entries that were stored or replaced by the same.
    """
    latest: dict[str, Feedback] = {}
    removed_at = Removals(database).all()
    for record in whole_topics.messages(kafka.config(settings), settings.feedback_topic):
        given = Feedback.model_validate_json(record.value)
        if given.created > removed_at.get(user_key(given.user_name), 0.0):
            latest[given.key] = given
    store = FeedbackStore(database)
    store.create_indexes()
    for given in sorted(latest.values(), key=lambda each: each.created):
        store.put(given)
    return sum(given.score != 0 for given in latest.values())


def purge(database: Database[dict[str, Any]]) -> int:
    """Delete the listens of MongoDB that were removed, such as after an older backup was restored.

    Returns
    -------
    int
        Number of listens that were deleted.
    """
    store, removals, purged = ListenStore(database), Removals(database), 0
    for page in _pages(in_mongodb(database)):
        standing = {event.event_id for event in removals.standing(page)}
        removed = [event for event in page if event.event_id not in standing]
        if removed:
            store.discard(removed)
        purged += len(removed)
    return purged


def _send(producer: KafkaProducer, topic: str, events: Iterable[Listen]) -> None:
    # Kafka refuses messages of the future. The clock may have been ahead when an event was received.
    futures, now_ms = [], round(time.time() * 1000)
    for event in events:
        key, value = message(event)
        at_ms = round((event.received_at or event.listened_at) * 1000)
        futures.append(producer.send(topic, key=key, value=value, timestamp_ms=min(at_ms, now_ms)))
    for future in futures:
        future.get(timeout=ACKNOWLEDGED_S)


def _digest(event: Listen) -> bytes:
    return hashlib.blake2b(event.event_id.encode(), digest_size=16).digest()


def _pages(events: Iterable[Listen]) -> Iterator[list[Listen]]:
    remaining = iter(events)
    return iter(lambda: list(islice(remaining, PAGE)), [])
