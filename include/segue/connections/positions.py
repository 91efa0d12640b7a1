"""The positions of a consumer that runs for long. Meanwhile its topic may be deleted and created again.

kafka-python fetches and commits by the name of the topic. In a topic that was created again, a consumer would
continue at its old position, and skip all messages before it. So each commit has the id of the topic as its
metadata. A consumer whose position belongs to an earlier topic reads the new topic from its beginning.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError
from kafka.structs import OffsetAndMetadata

from segue.connections import damage
from segue.connections.windows import Offsets, differ

log = logging.getLogger(__name__)

TIMEOUT_MS = 10_000
"""Longest wait for committed offsets and for a commit."""


class Positions(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python ships no types
    """Polls a topic with a consumer, and commits.

    Parameters
    ----------
    consumer : kafka.KafkaConsumer
        It has partitions of `topic` only. If it subscribes, this object must be its listener. It notices a new
        topic when it refreshes its metadata, so ``metadata_max_age_ms`` should be short.
    topic : str
    on_assigned : callable, optional
        Called when the consumer has got partitions from its group.
    on_damaged : callable, optional
        Called with the number of messages that could not be read and were passed over.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        topic: str,
        on_assigned: Callable[[], object] = lambda: None,
        on_damaged: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._on_assigned = on_assigned
        self._on_damaged = on_damaged
        self._topic_id: str | None = None
        self._checked: set[TopicPartition] = set()

    def on_partitions_assigned(self, _assigned: object) -> None:
        """Let the next poll check the committed offsets of the partitions."""
        self._checked.clear()
        self._on_assigned()

    def on_partitions_revoked(self, _revoked: object) -> None:
        """Do nothing. The next owner reads the records again that are not committed."""

    def poll(self, timeout_ms: int) -> list[Any]:
        """Return the next records.

        Returns
        -------
        list of kafka.ConsumerRecord
            If this call sets a partition back to its beginning, its records are left out.
            The next calls return them.
        """
        try:
            polled = self._consumer.poll(timeout_ms=timeout_ms)
        except CorruptRecordError:
            self._on_damaged(sum(each.size for each in damage.pass_over(self._consumer)))
            return []
        rewound = self._rewind()
        return [record for where, records in polled.items() if where not in rewound for record in records]

    def offsets(self) -> Offsets:
        """Return the offset of the next record of each partition."""
        partitions = self._consumer.assignment()
        positions = {
            where.partition: self._consumer.position(where, timeout_ms=TIMEOUT_MS) for where in partitions
        }
        known = {partition: position for partition, position in positions.items() if position is not None}
        return Offsets(known, self._topic_id)

    def commit(self) -> None:
        """Commit the positions of all partitions."""
        committed = {
            TopicPartition(self._topic, partition): OffsetAndMetadata(position, self._topic_id or "", -1)
            for partition, position in self.offsets().items()
        }
        self._consumer.commit(committed, timeout_ms=TIMEOUT_MS)

    def _rewind(self) -> set[TopicPartition]:
        """Go to the beginning of the partitions whose position belongs to an earlier topic, and return them."""
        partitions, known = set(self._consumer.assignment()), self._topic_id
        self._topic_id = topic_id(self._consumer._cluster.topic_id(self._topic)) or known
        if differ(known, self._topic_id):
            rewound = partitions
        else:
            rewound = {where for where in partitions - self._checked if self._is_stale(where)}
        self._checked = partitions
        if rewound:
            log.warning("%s was deleted and created again. It is read from its beginning.", self._topic)
            self._consumer.seek_to_beginning(*rewound)
        return rewound

    def _is_stale(self, where: TopicPartition) -> bool:
        committed = self._consumer.committed(where, metadata=True, timeout_ms=TIMEOUT_MS)
        return committed is not None and differ(committed.metadata, self._topic_id)


def topic_id(given: UUID | None) -> str | None:
    """Return the id of a topic as text. None if the broker states none, as brokers before Kafka 2.8 do."""
    return str(given) if given else None
