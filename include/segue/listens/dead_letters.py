"""Dead letters: messages that cannot be read are written to a topic of their own, with their origin and the error.

The key of a dead letter is ``topic/partition/offset``. If a message is read again, the same dead letter is written
again, but readers see it once. If a topic was deleted and created again, another message may have the same
position. It is another dead letter.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from kafka import KafkaProducer

from segue.connections import kafka, whole_topics
from segue.errors import SegueError

log = logging.getLogger(__name__)


class DeadLetterError(SegueError):
    """A dead letter cannot be found or replayed."""


class Message(Protocol):
    """The fields of a Kafka record that dead letters need."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be read.

    Parameters
    ----------
    topic, partition, offset
        Position of the message.
    error
        Why it could not be read.
    failed_at
        Time of the failure, in seconds since 1970.
    key, value
        The original bytes; None if the message has none.
    number
        Offset of the dead letter in the dead-letter topic.
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
        """Position of the message, as ``topic/partition/offset``."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def letter(message: Message, error: str) -> DeadLetter:
    """Create the dead letter of a Kafka message."""
    return DeadLetter(
        message.topic, message.partition, message.offset, error, time.time(), message.key, message.value
    )


def headers(dead: DeadLetter) -> list[tuple[str, bytes]]:
    """Return the Kafka headers of a dead letter. There is no header ``key`` if the message has no key."""
    fields: dict[str, object] = {
        "error": dead.error,
        "topic": dead.topic,
        "partition": dead.partition,
        "offset": dead.offset,
        "failed_at": f"{dead.failed_at:.3f}",
    }
    made = [(name, str(value).encode()) for name, value in fields.items()]
    return made if dead.key is None else [*made, ("key", dead.key)]


def send(producer: KafkaProducer, dead_letters_topic: str, letters: list[DeadLetter]) -> None:
    """Write dead letters, and wait until Kafka has acknowledged them.

    Raises
    ------
    KafkaError
        If Kafka has not acknowledged one of them.
    """
    sent = [
        producer.send(dead_letters_topic, key=dead.name.encode(), value=dead.value, headers=headers(dead))
        for dead in letters
    ]
    for future in sent:
        future.get(timeout=30)


def read(config: kafka.Config, dead_letters_topic: str) -> Iterator[DeadLetter]:
    """Read all dead letters in the topic, each once.

    Yields
    ------
    DeadLetter
        The dead letters, ordered by number. Of those with the same position and content, only the first. Messages
        of other programs, which do not have all headers of a dead letter, are left out with a warning.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers.
    """
    seen: set[tuple[str, bytes | None, bytes | None]] = set()
    for record in whole_topics.messages(config, dead_letters_topic):
        try:
            dead = _read(record)
        except (KeyError, ValueError) as error:
            log.warning("Message %d of %s is no dead letter: %r.", record.offset, dead_letters_topic, error)
            continue
        if (same := (dead.name, dead.key, dead.value)) not in seen:
            seen.add(same)
            yield dead


def replay(producer: KafkaProducer, dead: DeadLetter) -> None:
    """Send the original message to its topic again.

    Raises
    ------
    KafkaError
        If Kafka has not acknowledged it.
    """
    producer.send(dead.topic, key=dead.key, value=dead.value).get(timeout=30)


def _read(record: Message) -> DeadLetter:
    fields = dict(record.headers)  # type: ignore[attr-defined]  # Kafka records have them
    return DeadLetter(
        topic=fields["topic"].decode(),
        partition=int(fields["partition"]),
        offset=int(fields["offset"]),
        error=fields["error"].decode(),
        failed_at=float(fields["failed_at"]),
        key=fields.get("key"),
        value=record.value,
        number=record.offset,
    )
