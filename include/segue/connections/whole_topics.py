"""Read a whole topic once, from its first message to its present end, without a consumer group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from segue.connections import kafka
from segue.errors import ServiceUnavailableError


def pages(config: kafka.Config, topic: str) -> Iterator[list[Any]]:
    """Read the messages that a topic holds now.

    Parameters
    ----------
    config : Config
    topic : str
        If there is no such topic, nothing is read.

    Yields
    ------
    list of kafka.ConsumerRecord
        Some messages of one partition, ordered by offset.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or it stops answering.
    """
    try:
        consumer = kafka.consumer(config)
    except KafkaError as error:
        raise _unavailable(config) from error
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        if not partitions:
            return
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(where) < end for where, end in ends.items()):
            for where, records in consumer.poll(timeout_ms=1_000).items():
                yield [record for record in records if record.offset < ends[where]]
    except KafkaError as error:
        raise _unavailable(config) from error
    finally:
        consumer.close()


def _unavailable(config: kafka.Config) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"No Kafka broker answers at {config['bootstrap_servers']}. Start it with `segue up`."
    )
