"""Follow the topic of listens and store its events in MongoDB.

Events are processed at least once. Offsets are committed only after MongoDB has journaled the events and Kafka has
acknowledged the dead letters of the unreadable ones. An event that comes again changes nothing. While Kafka or
MongoDB is away, the follower waits. A topic that is gone, such as with Kafka's folder, is created again. A topic
that was created again is read from its beginning. What Kafka or MongoDB has lost is noted, see
:mod:`segue.listens.losses`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError
from pydantic import ValidationError
from pymongo.database import Database
from pymongo.errors import PyMongoError

from segue.connections import durability, kafka, offsets
from segue.connections.positions import Positions
from segue.connections.topics import create_topics
from segue.connections.windows import differ
from segue.errors import ServiceUnavailableError
from segue.listens import dead_letters
from segue.listens.events import Listen, reason
from segue.listens.losses import Followed
from segue.listens.migration import prepare
from segue.listens.removals import Removals
from segue.listens.store import ListenStore
from segue.settings import Settings

log = logging.getLogger(__name__)

GROUP = "segue-listen-store"
BATCH = 500
FETCH_BYTES, FETCH_MS = 64 * 1024, 200
"""Kafka answers when it has this many bytes, or after this time. So listens are written in batches, and single
listens do not keep MongoDB busy."""
BOOTSTRAP_TIMEOUT_MS = 2_000
RETRY_S = 1.0
LAG_EVERY_S = 5.0


class Follower:
    """A thread that stores the listens of the topic in the collection. It first migrates an older collection.

    Parameters
    ----------
    settings
        Where Kafka is, and the names of the topics.
    database
        The corpus' database.
    """

    def __init__(self, settings: Settings, database: Database[dict[str, Any]]) -> None:
        self._settings = settings
        self._database = database
        self._store = ListenStore(database)
        self._removals = Removals(database)
        self._followed = Followed(database, settings.listens_topic)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listen-store", daemon=True)
        self.lag: int | None = None
        self.error: str | None = "not started"

    def start(self) -> None:
        """Start following."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the current batch."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except Exception as error:  # of any kind, because nobody would notice that the thread has ended
                # No offset of the current batch was committed, so the next round reads it again.
                if self.error is None or not self.error.startswith(type(error).__name__):
                    known = isinstance(error, (KafkaError, PyMongoError, ServiceUnavailableError))
                    # Log the error once, not at every attempt.
                    log.warning("The store of listens waits: %s", error, exc_info=None if known else error)
                self.error = f"{type(error).__name__}: {error}"
                self._stopping.wait(RETRY_S)

    def _follow(self) -> None:
        prepare(self._database)
        consumer = kafka.consumer(
            kafka.config(self._settings) | {"bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS},
            group_id=GROUP,
            auto_offset_reset="earliest",
            max_poll_records=BATCH,
            fetch_min_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_MS,
            request_timeout_ms=10_000,
            reconnect_backoff_max_ms=1_000,
            metadata_max_age_ms=30_000,
        )
        try:
            topic = self._settings.listens_topic
            numbers = consumer.partitions_for_topic(topic)
            partitions = [TopicPartition(topic, p) for p in sorted(numbers or ())]
            if not partitions:
                self.error = f"There is no topic {topic!r}"
                create_topics(self._settings)
                return
            consumer.assign(partitions)  # the group has only one reader, so it needs no rebalancing
            config = kafka.config(self._settings)
            backlog = offsets.backlog(config, topic, GROUP)
            kept = durability.is_kept_for_ever(config, topic)
            self._followed.compare(backlog, offsets.whole_topic(config, topic), kept=kept)
            for partition in partitions:
                # Committed offsets may be of an earlier topic, or beyond the end of one that was cut.
                consumer.seek(partition, backlog.starts[partition.partition])
            positions = Positions(consumer, topic, on_damaged=lambda lost: self._followed.miss("kafka", lost))
            self.error, looked, noted = None, 0.0, self._followed.offsets()
            while not self._stopping.is_set():
                records = positions.poll(1_000)
                now = positions.offsets()
                if noted is None or differ(noted.topic_id, now.topic_id) or noted.ahead_of(now):
                    return  # the topic was cut or created again: compare the stores
                if records:
                    self._take(records)
                    self._followed.note(now)
                    positions.commit()
                    noted = now
                if time.monotonic() - looked > LAG_EVERY_S:
                    ends = consumer.end_offsets(partitions)
                    self.lag = sum(end - consumer.position(partition) for partition, end in ends.items())
                    looked = time.monotonic()
                    if consumer.partitions_for_topic(topic) != numbers or self._followed.offsets() != noted:
                        return  # partitions were added, or the topic or the database is another one: start again
        finally:
            consumer.close()

    def _take(self, records: Sequence[Any]) -> None:
        events, unreadable = [], []
        for record in records:
            try:
                events.append(Listen.model_validate_json(record.value or b""))
            except ValidationError as error:
                unreadable.append(dead_letters.letter(record, reason(error)))
        if unreadable:
            with kafka.producing(kafka.config(self._settings)) as producer:
                dead_letters.send(producer, self._settings.dead_letters_topic, unreadable)
        self._removals.store(events, self._store.put, self._store.discard)
