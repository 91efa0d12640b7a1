"""Write events to Kafka for a service. An event counts as written after all replicas of the topic have it.

The producer has a thread of its own, because an event loop must not block. kafka-python blocks while it looks up a
topic and while its buffer is full. The producer sends all records that have gathered, so batches grow with the
load.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, RetriableError

from segue.connections import kafka
from segue.errors import SegueError

log = logging.getLogger(__name__)

DELIVERY_TIMEOUT_MS = 8_000
"""How long a record may wait for its acknowledgement; after that it is reported as not written."""

STUCK_AFTER_S = DELIVERY_TIMEOUT_MS / 1000 + 2
"""A producer is replaced by another one if it has not answered for this long.

If the broker is killed at the wrong moment, kafka-python 3.0.12 waits for ever for a new epoch of its idempotent
producer, and its records do not expire.
"""

BOOTSTRAP_TIMEOUT_MS = 2_000
METADATA_TIMEOUT_MS = 2_000

Record = tuple[bytes, bytes]
"""Key and value."""


class NotWritten(SegueError):  # noqa: N818 - the name says what happened
    """Some of the records may not be in Kafka; the client should send them again."""


class _Batch:
    """The records of one call, and how many of them Kafka has not answered yet."""

    def __init__(self, topic: str, records: Sequence[Record], loop: asyncio.AbstractEventLoop) -> None:
        self.topic = topic
        self.records = records
        self.done: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._open = len(records)
        self.deadline = time.monotonic() + DELIVERY_TIMEOUT_MS / 1000
        self.producer: KafkaProducer | None = None
        self._error: BaseException | None = None
        self._lock = threading.Lock()

    def answered(self, error: BaseException | None, count: int = 1) -> None:
        """Note the answer for `count` records. After the last answer, wake the caller."""
        with self._lock:
            self._error = self._error or error
            self._open -= count
            last = self._open == 0
        if last:
            self._loop.call_soon_threadsafe(self._finish)

    def give_up(self) -> None:
        """End the caller's wait; later answers are ignored."""
        self._error = KafkaTimeoutError("no answer at all")
        self._finish()

    def _finish(self) -> None:
        if self.done.done():
            return
        if self._error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(NotWritten(f"Kafka did not acknowledge: {self._error}"))


@dataclass(frozen=True)
class _Unusable:
    """An entry of the queue which says that a producer no longer writes anything, and why."""

    producer: KafkaProducer | None
    reason: str


class EventWriter:
    """An asyncio interface to one idempotent Kafka producer with ``acks=all``.

    - `write` returns after every replica has acknowledged every record. Otherwise it raises `NotWritten`.
    - At most `max_pending` records wait. Further records are refused at once, so the memory is bounded while the
      broker cannot be reached.
    - The broker need not be reachable at the start, and may stop and start again.

    Parameters
    ----------
    config
        Keyword arguments of kafka-python's clients, at least ``bootstrap_servers``.
    max_pending
        Largest number of records that may wait for their acknowledgement.
    refusal
        Returns why no record can be taken now, such as a disk that is almost full. None if records can be taken.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        max_pending: int = 50_000,
        refusal: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._config = dict(config)
        self._refusal = refusal
        self._max_pending = max_pending
        self._queue: queue.SimpleQueue[_Batch | _Unusable | None] = queue.SimpleQueue()
        self._producer: KafkaProducer | None = None
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
        self.pending = 0

    def start(self) -> None:
        """Start the thread. The broker need not be running yet."""
        self._thread.start()

    def close(self) -> None:
        """Send what is waiting, then stop."""
        self._queue.put(None)
        self._thread.join()

    async def write(self, topic: str, records: Sequence[Record]) -> None:
        """Write records and wait until all are acknowledged.

        Raises
        ------
        NotWritten
            If records are refused, too many are waiting already, or not all were acknowledged in time. Some of
            them may still be in Kafka, so a consumer must recognise a repeated event by its id.
        """
        if not records:
            return
        if reason := self._refusal():
            raise NotWritten(reason)
        if self.pending + len(records) > self._max_pending:
            raise NotWritten(f"{self.pending} events are waiting for Kafka already")
        batch = _Batch(topic, records, asyncio.get_running_loop())
        self.pending += len(records)
        # If the caller goes away (a closed connection), its records still count as pending until Kafka answers.
        batch.done.add_done_callback(self._released(len(records)))
        self._queue.put(batch)
        try:
            await asyncio.wait_for(asyncio.shield(batch.done), STUCK_AFTER_S)
        except TimeoutError:
            self._queue.put(_Unusable(batch.producer, "does not answer"))
            batch.give_up()
            await batch.done

    def _released(self, count: int) -> Callable[[asyncio.Future[None]], None]:
        def release(done: asyncio.Future[None]) -> None:
            self.pending -= count
            done.exception()  # otherwise asyncio warns that nobody has retrieved the exception

        return release

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            if isinstance(work, _Unusable):
                self._replace(work)
            else:
                self._send(work)
        if self._producer is not None:
            with suppress(KafkaTimeoutError):  # the callers get `NotWritten` for their records
                self._producer.flush(timeout=DELIVERY_TIMEOUT_MS / 1000)
            kafka.end(self._producer)

    def _replace(self, unusable: _Unusable) -> None:
        """Abandon a producer. Do it once only, even if several callers report its error."""
        if self._producer is None or unusable.producer is not self._producer:
            return
        log.error("The Kafka producer %s: making another one.", unusable.reason)
        self._producer = None
        kafka.end(unusable.producer)

    def _send(self, batch: _Batch) -> None:
        if time.monotonic() > batch.deadline:
            batch.answered(KafkaTimeoutError("no answer in time to those before it"), len(batch.records))
            return
        sent = 0
        try:
            producer = batch.producer = self._connected()
            for key, value in batch.records:
                future = producer.send(batch.topic, key=key, value=value)
                sent += 1
                future.add_callback(lambda _: batch.answered(None))
                future.add_errback(partial(self._failed, batch))
        except Exception as error:  # of any kind: the caller gets it, and the thread goes on
            if not isinstance(error, KafkaError):
                log.exception("Events could not be sent.")
            batch.answered(error, len(batch.records) - sent)

    def _failed(self, batch: _Batch, error: BaseException) -> None:
        # After most other errors, kafka-python's idempotent producer refuses all further records for ever.
        if not isinstance(error, RetriableError):
            self._queue.put(_Unusable(batch.producer, f"has failed ({error})"))
        batch.answered(error)

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = kafka.producer(
                self._config | {"bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS},
                linger_ms=2,
                batch_size=65_536,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                request_timeout_ms=DELIVERY_TIMEOUT_MS // 2,
                max_block_ms=METADATA_TIMEOUT_MS,
                reconnect_backoff_max_ms=500,
            )
        return self._producer
