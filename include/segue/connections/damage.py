"""Messages of Kafka that cannot be read any more, because their checksum is wrong.

Kafka checks a batch of messages when it arrives, but not when it is read. So if a disk changes a stored batch,
each consumer fails at it, again and again. Segue's own consumers pass over it. Spark cannot: its jobs fail until
`segue rebuild topic` has taken the batch out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError, KafkaTimeoutError

log = logging.getLogger(__name__)

PATIENCE_S = 30.0
"""A broker that sends no message for this long, although there are some, is away."""
POLL_MS = 1_000


@dataclass(frozen=True)
class Damage:
    """Neighbouring messages of a partition that cannot be read.

    Parameters
    ----------
    where : kafka.TopicPartition
    start, end : int
        The first offset, and the one after the last.
    """

    where: TopicPartition
    start: int
    end: int

    @property
    def size(self) -> int:
        """Number of offsets."""
        return self.end - self.start


def pass_over(consumer: KafkaConsumer) -> list[Damage]:
    """Move a consumer that has just met damaged messages to the next ones that can be read.

    Parameters
    ----------
    consumer : kafka.KafkaConsumer
        Its partitions that are not damaged stay where they are.

    Returns
    -------
    list of Damage
        At most one of each partition. Each is logged, too.

    Raises
    ------
    KafkaTimeoutError
        If the broker is away.
    """
    found = list(_pass_over(consumer))
    for each in found:
        log.error(
            "%d messages of %s, partition %d, offsets %d to %d, cannot be read: their checksum is wrong. "
            "They are passed over. Look at the disk of Kafka; then `segue rebuild topic` repairs the topic.",
            *(each.size, each.where.topic, each.where.partition, each.start, each.end - 1),
        )
    return found


def _pass_over(consumer: KafkaConsumer) -> Iterator[Damage]:
    # kafka-python 3.0.12 loops for ever if a consumer polls a damaged batch a second time, so another one looks.
    probe = KafkaConsumer(**consumer.config | {"group_id": None})
    try:
        for where, stop in consumer.end_offsets(consumer.assignment()).items():
            probe.assign([where])
            start = end = consumer.position(where)
            while end < stop and not _is_readable(probe, where, end):
                end += 1
            if end > start:
                consumer.seek(where, end)
                yield Damage(where, start, end)
    finally:
        probe.close()


def _is_readable(probe: KafkaConsumer, where: TopicPartition, offset: int) -> bool:
    """Return whether the batch that has this offset can be read. A batch is fetched as a whole."""
    probe.seek(where, offset)
    until = time.monotonic() + PATIENCE_S
    try:
        while not probe.poll(timeout_ms=POLL_MS):
            if time.monotonic() > until:
                raise KafkaTimeoutError(f"No message of {where.topic} came within {PATIENCE_S:.0f} s.")
    except CorruptRecordError:
        return False
    return True
