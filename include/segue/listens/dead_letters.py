"""Messages that nobody can read go to a topic of their own, whole, with where they came from and why.

The key is ``topic/partition/offset``: whoever meets the message again writes the same letter again, and
readers see it once. Another message at the same place, of a topic that was made anew, is another letter.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from segue.connections import kafka
from segue.errors import SegueError, ServiceUnavailableError


class DeadLetterError(SegueError):
    """A dead letter cannot be found or sent again."""


class Message(Protocol):
    """What is needed of a Kafka record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that could not be read.

    Parameters
    ----------
    topic, partition, offset
        Where it is.
    error
        Why it could not be read.
    failed_at
        When that was found, in seconds since 1970.
    key, value
        The original bytes; None where the message had none.
    number
        Its offset in the dead-letter topic.
    """

    topic: str
    partition: int
    offset: int
    error: str
    failed_at: float
    key: bytes | None
    value: bytes | None
    number: int = -1

    @property
    def name(self) -> str:
        """``topic/partition/offset`` of the original."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def letter(message: Message, error: str) -> DeadLetter:
    """Make the letter of a Kafka message."""
    return DeadLetter(
        message.topic, message.partition, message.offset, error, time.time(), message.key, message.value
    )


def headers(dead: DeadLetter) -> list[tuple[str, bytes]]:
    """Put what is known of a message into Kafka headers; an original key of none has no header."""
    told: dict[str, object] = {
        "error": dead.error,
        "topic": dead.topic,
        "partition": dead.partition,
        "offset": dead.offset,
        "failed_at": f"{dead.failed_at:.3f}",
    }
    made = [(name, str(value).encode()) for name, value in told.items()]
    return made if dead.key is None else [*made, ("key", dead.key)]


def send(producer: KafkaProducer, dead_letters_topic: str, letters: list[DeadLetter]) -> None:
    """Write letters and wait until Kafka has them.

    Raises
    ------
    KafkaError
        If one was not acknowledged.
    """
    sent = [
        producer.send(dead_letters_topic, key=dead.name.encode(), value=dead.value, headers=headers(dead))
        for dead in letters
    ]
    for future in sent:
        future.get(timeout=30)


def read(config: kafka.Config, dead_letters_topic: str) -> Iterator[DeadLetter]:
    """Read all letters that the topic holds now, each once.

    Yields
    ------
    DeadLetter
        The first of each name and content, by number.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers.
    """
    try:
        consumer = kafka.consumer(config)
    except KafkaError as error:
        raise ServiceUnavailableError(
            f"No Kafka broker answers at {config['bootstrap_servers']}: start it with `segue up`."
        ) from error
    try:
        partitions = [
            TopicPartition(dead_letters_topic, p) for p in consumer.partitions_for_topic(dead_letters_topic) or ()
        ]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions) if partitions else {}
        seen: set[tuple[str, bytes | None, bytes | None]] = set()
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for records in consumer.poll(timeout_ms=1_000).values():
                for record in records:
                    dead = _read(record)
                    if (same := (dead.name, dead.key, dead.value)) not in seen:
                        seen.add(same)
                        yield dead
    finally:
        consumer.close()


def replay(producer: KafkaProducer, dead: DeadLetter) -> None:
    """Send the original bytes to the topic where they came from.

    Raises
    ------
    KafkaError
        If that was not acknowledged.
    """
    producer.send(dead.topic, key=dead.key, value=dead.value).get(timeout=30)


def _read(record: Message) -> DeadLetter:
    told = dict(record.headers)  # type: ignore[attr-defined]  # Kafka records have them
    return DeadLetter(
        topic=told["topic"].decode(),
        partition=int(told["partition"]),
        offset=int(told["offset"]),
        error=told["error"].decode(),
        failed_at=float(told["failed_at"]),
        key=told.get("key"),
        value=record.value,
        number=record.offset,
    )
