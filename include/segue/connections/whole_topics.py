"""Read a whole topic once, from its first message to its present end, without a consumer group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kafka import TopicPartition
from kafka.errors import CorruptRecordError, KafkaError

from segue.connections import damage, kafka
from segue.connections.damage import Damage
from segue.errors import ServiceUnavailableError


def messages(config: kafka.Config, topic: str, damaged: list[Damage] | None = None) -> Iterator[Any]:
    """Read the messages that a topic holds now. Those that cannot be read are passed over.

    Parameters
    ----------
    config : Config
    topic : str
        If there is no such topic, nothing is read.
    damaged : list of Damage, optional
        What was passed over is added to it.

    Yields
    ------
    kafka.ConsumerRecord
        The messages of a partition are ordered by offset.

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
            try:
                polled = consumer.poll(timeout_ms=1_000)
            except CorruptRecordError:
                passed_over = damage.pass_over(consumer)
                if damaged is not None:
                    damaged += passed_over
                continue
            for where, records in polled.items():
                yield from (record for record in records if record.offset < ends[where])
    except KafkaError as error:
        raise _unavailable(config) from error
    finally:
        consumer.close()


def _unavailable(config: kafka.Config) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"No Kafka broker answers at {config['bootstrap_servers']}. Start it with `segue up`."
    )
