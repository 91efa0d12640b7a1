"""kill -9, then up: what was acknowledged is there."""

from __future__ import annotations

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata
from pymongo import MongoClient

from segue.connections.kafka import config as kafka_config
from segue.settings import Settings
from segue.stack import documents, lifecycle
from segue.stack import kafka as broker
from segue.stack.service import Service, State

pytestmark = [pytest.mark.integration, pytest.mark.embedded_documents]

RECORDS = 2000


def kill(service: Service) -> None:
    process = service.process()
    process.kill()
    process.wait()


def test_acknowledged_records_and_committed_offsets_survive_a_kill_of_the_broker(settings, kafka):
    topic = TopicPartition("survivors", 0)
    admin = KafkaAdminClient(**kafka)
    admin.create_topics([NewTopic(topic.topic, 1, 1)])
    admin.close()
    producer = KafkaProducer(**kafka)
    sent = [producer.send(topic.topic, str(number).encode()) for number in range(RECORDS)]
    for future in sent:
        future.get(timeout=30)
    consumer = KafkaConsumer(**kafka, group_id="survivors", enable_auto_commit=False)
    consumer.assign([topic])
    consumer.commit({topic: OffsetAndMetadata(RECORDS // 2, "", -1)})
    consumer.close()
    producer.close()

    kill(broker.service(settings))
    lifecycle.up(settings, ["kafka"])

    reader = KafkaConsumer(
        topic.topic,
        **kafka,
        group_id=None,
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    values = [int(next(reader).value) for _ in range(RECORDS)]
    reader.close()
    assert values == list(range(RECORDS))
    group = KafkaConsumer(**kafka, group_id="survivors")
    assert group.committed(topic) == RECORDS // 2
    group.close()


def test_acknowledged_documents_survive_a_kill_of_the_document_server(settings, mongo):
    mongo.survivors.insert_many([{"_id": number} for number in range(RECORDS)])
    kill(documents.service(settings))
    lifecycle.up(settings, ["mongo"])
    with MongoClient(settings.mongo) as client:
        assert client[mongo.name].survivors.count_documents({}) == RECORDS


def test_a_healthy_service_is_left_alone(settings, kafka, mongo):  # noqa: ARG001 - both are to run
    before = {service.name: service.process() for service in lifecycle.services(settings, ["kafka", "mongo"])}
    lifecycle.up(settings, ["kafka", "mongo"])
    after = {service.name: service.process() for service in lifecycle.services(settings, ["kafka", "mongo"])}
    assert after == before
    assert None not in after.values()


def test_kafka_comes_back_on_other_ports_with_its_records(tmp_path, free_ports, settings):
    """A port may be taken the next day; the quorum's address is not burnt into the data."""
    one, two = free_ports(2)
    jars = settings.jars_dir
    first = Settings(home=tmp_path, jars=jars, kafka_port=one, kafka_controller_port=two)
    second = Settings(home=tmp_path, jars=jars, kafka_port=two, kafka_controller_port=one)
    try:
        lifecycle.up(first, ["kafka"])
        admin = KafkaAdminClient(**kafka_config(first))
        admin.create_topics([NewTopic("moved", 1, 1)])
        admin.close()
        lifecycle.up(second, ["kafka"])
        admin = KafkaAdminClient(**kafka_config(second))
        assert "moved" in admin.list_topics()
        admin.close()
        assert broker.service(second).state() is State.HEALTHY
    finally:
        lifecycle.down(second)
