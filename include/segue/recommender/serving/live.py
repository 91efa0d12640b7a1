"""The live recommendations: a listen arrives, and its listener's recommendations follow.

The process is one member of a consumer group. As many members may run as the topic of listens has partitions. For
each batch of events, a member does the following:

1. It stores the listens of tracks of the corpus (idempotent by event id).
2. It ranks the catalogue for their listeners.
3. It replaces the listeners' documents in MongoDB.
4. It announces the new documents in Kafka.
5. It commits the offsets.

If the processing of a batch is killed, the batch is read again, and the result is the same. Before the first
recommender is trained, listens are stored, their listeners wait, and no offset is committed. Unreadable events are
left to :mod:`segue.listens.follower`, which sends them to the dead letters.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from segue.connections import kafka, mongo, offsets
from segue.connections.positions import Positions
from segue.connections.topics import create_topics
from segue.errors import ServiceUnavailableError
from segue.listens.events import Listen
from segue.listens.history import HistoryCache
from segue.listens.migration import prepare
from segue.listens.removals import Removals
from segue.listens.store import ListenStore
from segue.recommender.serving.batch import replace_older
from segue.recommender.serving.champion import Champion, Served
from segue.recommender.serving.lists import (
    COLLECTION,
    Document,
    create_indexes,
    documents,
    hated_by,
    history_of,
    listener_of,
)
from segue.recommender.serving.recommend import TOGETHER, Wishes
from segue.settings import Settings, get_settings

log = logging.getLogger(__name__)

BATCH = 100
"""Listeners whose recommendations are written and announced together."""

POLLED = 5_000
"""At most this many listens are read at once. After a burst, each listener is ranked once for all of theirs."""

REMOVED_S = 60.0
"""For this long after a removal, the listener's history is read from MongoDB again for each batch.

A removal is recorded before the listens are deleted. A history that was read in between still has them.
"""

SESSION_S = 10
"""A member that sends no heartbeat for this long is removed from the group."""

COMMIT_S = SESSION_S + 5.0
"""Offsets are committed at least this often. If the group has removed a member, the member learns it only from the
answer to its next commit."""

BOOTSTRAP_TIMEOUT_MS = 2_000
RETRY_S = 1.0
POLL_MS = 1_000
"""Longest wait for new listens. Kafka answers as soon as there is one."""
MONGO_TIMEOUT_MS = 5_000


class Live:
    """Reads listens and writes recommendations until told to stop.

    Parameters
    ----------
    settings
        Where Kafka, MongoDB and the registry are.
    champion
        The recommender that serves.
    """

    def __init__(self, settings: Settings, champion: Champion) -> None:
        self._settings = settings
        self._champion = champion
        client = mongo.client(
            settings.mongo, selection_timeout_ms=MONGO_TIMEOUT_MS, socket_timeout_ms=4 * MONGO_TIMEOUT_MS
        )
        self._database = client[settings.mongo_database]
        self._listens = ListenStore(self._database)
        self._histories = HistoryCache(partial(history_of, self._database))
        self._removals = Removals(self._database)
        self._waiting: dict[str, None] = {}  # listeners in the order they came, to be ranked
        self.stopping = threading.Event()

    def run(self) -> None:
        """Work until told to stop. If Kafka or MongoDB is away, wait for it."""
        while not self.stopping.is_set():
            try:
                self._beat()
                self._histories.forget()
                prepare(self._database, self._say)
                self._removals.create_indexes()
                create_indexes(self._database)
                create_topics(self._settings)
                self._follow()
            except (ServiceUnavailableError, KafkaError, PyMongoError) as error:
                # No offset of the current batch was committed, so the next round reads it again.
                log.warning("Waiting: %s: %s", type(error).__name__, error)
                self._beat()
                self.stopping.wait(RETRY_S)

    def _follow(self) -> None:
        config = kafka.config(self._settings) | {"bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS}
        topic = self._settings.listens_topic
        with ExitStack() as clients:
            producer = clients.enter_context(kafka.producing(config, reconnect_backoff_max_ms=1_000))
            consumer = kafka.consumer(
                config,
                group_id=self._settings.live_group,
                auto_offset_reset="earliest",
                max_poll_records=POLLED,
                fetch_max_wait_ms=POLL_MS,
                session_timeout_ms=SESSION_S * 1000,
                heartbeat_interval_ms=2_000,
                reconnect_backoff_max_ms=1_000,
                metadata_max_age_ms=30_000,
            )
            clients.callback(consumer.close)
            # Forget the histories when partitions are assigned: another member may have served their listeners.
            positions = Positions(consumer, topic, on_assigned=self._histories.forget)
            consumer.subscribe([topic], listener=positions)
            uncommitted, committed = False, time.monotonic()
            while not self.stopping.is_set():
                self._beat()
                if not self._champion.looked.wait(POLL_MS / 1000):
                    continue
                served = self._champion.served
                busy = served is not None and bool(self._waiting)
                # A member that does not poll for five minutes is removed from its group. So it polls even while
                # listeners wait, but its partitions are then paused, and it gets no records.
                (consumer.pause if busy else consumer.resume)(*consumer.assignment())
                records = positions.poll(0 if busy else POLL_MS)
                if records:
                    self._keep(records)
                if served is not None and self._waiting:
                    self._recommend(served, list(self._waiting)[:BATCH], producer)
                uncommitted |= bool(records)
                # Commit even when nothing is new. After a broker was away, kafka-python's heartbeats may have
                # stopped for good. The member is then no longer in the group but does not know it, and polls
                # without a pause.
                if not self._waiting and (uncommitted or time.monotonic() - committed > COMMIT_S):
                    positions.commit()
                    uncommitted, committed = False, time.monotonic()
                    # After a suspension, a consumer was seen to poll for ever without joining its group again. It
                    # then has no partitions, so no commit fails.
                    if not consumer.assignment() and not offsets.has_members(config, self._settings.live_group):
                        raise ServiceUnavailableError("This member is no longer in its group, and joins it anew.")

    def _keep(self, records: Sequence[Any]) -> None:
        matched = [event for event in map(_event, records) if event is not None and event.track_id is not None]
        stored = self._removals.store(matched, self._listens.put, self._listens.discard)
        self._histories.add(stored)
        self._waiting |= dict.fromkeys(event.user_name for event in stored)

    def _recommend(self, served: Served, users: Sequence[str], producer: KafkaProducer) -> None:
        hated, now = hated_by(self._database, users), time.time()
        self._histories.forget(self._removals.since(now - REMOVED_S))
        weight = self._settings.skip_weight
        listeners = {
            user: listener_of(served, self._histories.of(user), hated.get(user, ()), skip_weight=weight)
            for user in users
        }
        made = documents(served, listeners, now=now, wishes=Wishes())
        with ThreadPoolExecutor(1) as writer:  # one part is written while the next part is ranked
            parts = iter(lambda: list(islice(made, TOGETHER)), [])
            # If one part fails, give up the others at once. Each of them would wait for the same server in turn.
            list(writer.map(lambda part: self._publish(part, now, producer), parts))
        for user in users:
            del self._waiting[user]

    def _publish(self, made: Sequence[Document], now: float, producer: KafkaProducer) -> None:
        replace_older(self._database[COLLECTION], made)  # after a rebalance, another member may have written newer
        # A user who was forgotten during the ranking has no listens left. Delete the list that was just written.
        for user in self._removals.forgotten(each["_id"] for each in made):
            if not self._listens.history(user).times:
                self._database[COLLECTION].delete_one({"_id": user})
        sent = [
            producer.send(
                self._settings.recommendations_topic,
                key=each["_id"].encode(),
                value=json.dumps(each | {"generated_at": now}, ensure_ascii=False).encode(),
            )
            for each in made
        ]
        producer.flush(timeout=30)
        for future in sent:
            future.get(timeout=0)

    def _say(self, sentence: str) -> None:
        log.info(sentence)
        self._beat()

    def _beat(self) -> None:
        heartbeat(self._settings).touch()


FRESH_S = 60.0
"""If the heartbeat is older than this, the live recommendations hang or do not run."""


def heartbeat(settings: Settings) -> Path:
    """Return the file that the service touches while it works, even if Kafka or MongoDB is away."""
    return settings.state_dir / "live" / "heartbeat"


def _event(record: Any) -> Listen | None:
    try:
        return Listen.model_validate_json(record.value or b"")
    except ValidationError:
        return None


def work(settings: Settings) -> None:
    """Run one member until SIGTERM, SIGINT, or the end of the process that started it."""
    heartbeat(settings).parent.mkdir(parents=True, exist_ok=True)
    champion = Champion(settings)
    live = Live(settings, champion)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: live.stopping.set())
    threading.Thread(target=_watch_parent, args=(live.stopping,), daemon=True).start()
    champion.start()
    live.run()
    champion.close()


def _watch_parent(stopping: threading.Event) -> None:
    parent = os.getppid()
    while not stopping.wait(0.5):
        if os.getppid() != parent:
            stopping.set()


def main() -> None:
    """Work with the settings of the environment."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("segue").setLevel(logging.INFO)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # Segue itself logs each error, and only once
    work(get_settings())


if __name__ == "__main__":
    main()
