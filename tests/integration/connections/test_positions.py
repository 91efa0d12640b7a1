"""Consumers of a topic that is deleted and created again, and has more messages afterwards than before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from tests.support.api_server import eventually
from tests.support.topics import make_anew

from segue.connections import kafka as kafka_clients
from segue.connections import offsets, topics
from segue.connections.kafka import Config
from segue.connections.positions import Positions

pytestmark = pytest.mark.integration


@pytest.fixture
def config(kafka: Config) -> dict[str, Any]:
    return kafka


@pytest.fixture
def topic(config: dict[str, Any], request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("[", "-").replace("]", "")[-80:]
    topics.create_listens_topic(config, name)
    return name


@pytest.fixture(params=["assigned", "subscribed"])
def positions(request: pytest.FixtureRequest, config: dict[str, Any], topic: str) -> Iterator[Positions]:
    consumer = kafka_clients.consumer(
        config, group_id=topic, auto_offset_reset="earliest", metadata_max_age_ms=500
    )
    made = Positions(consumer, topic)
    if request.param == "assigned":
        consumer.assign([TopicPartition(topic, partition) for partition in range(topics.LISTENS_PARTITIONS)])
    else:
        consumer.subscribe([topic], listener=made)
    yield made
    consumer.close()


def send(config: dict[str, Any], topic: str, *values: bytes) -> None:
    with KafkaProducer(**config) as producer:
        for value in values:
            producer.send(topic, value, partition=0).get()


def read_until(positions: Positions, *wanted: bytes) -> Counter[bytes]:
    """Read until all wanted messages have come, and commit."""
    read: Counter[bytes] = Counter()

    def complete() -> bool:
        read.update(record.value for record in positions.poll(200))
        return all(read[value] for value in wanted)

    eventually(complete)
    positions.commit()
    return read


OLD, NEW = [b"old %d" % i for i in range(3)], [b"new %d" % i for i in range(8)]


def test_a_consumer_reads_a_new_topic_from_its_beginning(
    config: dict[str, Any], topic: str, positions: Positions
) -> None:
    send(config, topic, *OLD)
    assert read_until(positions, *OLD) == Counter(OLD)
    make_anew(config, topic)
    send(config, topic, *NEW)
    assert read_until(positions, *NEW).keys() == set(NEW)
    assert offsets.backlog(config, topic, topic).size == 0


def test_a_commit_for_an_earlier_topic_counts_for_nothing(
    config: dict[str, Any], topic: str, positions: Positions
) -> None:
    send(config, topic, *NEW)
    late = {TopicPartition(topic, 0): OffsetAndMetadata(3, "the id of an earlier topic", -1)}
    with KafkaAdminClient(**config) as admin:
        admin.alter_group_offsets(topic, late)
    assert offsets.backlog(config, topic, topic).size == len(NEW)
    assert read_until(positions, *NEW) == Counter(NEW)
    send(config, topic, b"more")
    assert offsets.backlog(config, topic, topic).size == 1
    assert read_until(positions, b"more") == Counter([b"more"])


def test_a_commit_of_the_version_before_holds(config: dict[str, Any], topic: str, positions: Positions) -> None:
    send(config, topic, *NEW)
    with KafkaAdminClient(**config) as admin:
        admin.alter_group_offsets(topic, {TopicPartition(topic, 0): OffsetAndMetadata(3, "", -1)})
    assert read_until(positions, *NEW[3:]) == Counter(NEW[3:])
