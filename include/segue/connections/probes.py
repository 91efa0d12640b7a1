"""Probes: a small record that is written to Kafka or MongoDB and read back.

A server may answer while it can no longer write or read, such as after its disk was full. Only a probe shows that.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError
from pymongo import ReturnDocument
from pymongo.database import Database

from segue.connections import kafka, kafka_faults, topics
from segue.errors import ServiceUnavailableError
from segue.settings import Settings

COLLECTION = "health"


def check_mongodb(database: Database[dict[str, Any]]) -> None:
    """Write a document and read it back. The collection ``health`` holds this one document.

    Raises
    ------
    ServiceUnavailableError
        If another document comes back.
    pymongo.errors.PyMongoError
        If the server does not answer, or refuses to write or read.
    """
    probe = {"_id": "probe"}
    written = database[COLLECTION].find_one_and_update(
        probe, {"$inc": {"count": 1}}, upsert=True, return_document=ReturnDocument.AFTER
    )
    read = database[COLLECTION].find_one(probe)
    # Others probe at the same time, so the count may have risen since.
    if not written or not read or read["count"] < written["count"]:
        raise ServiceUnavailableError(f"MongoDB acknowledged {written}, and then returned {read}.")


def check_kafka(settings: Settings, config: kafka.Config, timeout_s: float) -> None:
    """Write a message to the topic of probes and read it back. Create the topic if there is none.

    Parameters
    ----------
    settings : Settings
        Name of the topic.
    config : Config
        Brokers, security and time limits.
    timeout_s : float
        Longest wait for the acknowledgement, and for the message, in seconds.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or the message does not come back.
    """
    topics.create_health_topic(settings, config)
    probe = uuid.uuid4().bytes
    timeout_ms = round(timeout_s * 1000)
    # kafka-python wants the limit of a delivery above that of a request.
    limits = dict.fromkeys(("max_block_ms", "request_timeout_ms"), timeout_ms)
    try:
        with kafka.producing(config, **limits, delivery_timeout_ms=timeout_ms + 1000) as producer:
            written = producer.send(settings.health_topic, value=probe, partition=0).get(timeout=timeout_s)
        read = _value_at(settings.health_topic, written.offset, config, timeout_s)
    except KafkaError as error:
        told = f"Kafka at {config['bootstrap_servers']} did not write and read a message: {error!r}"
        raise ServiceUnavailableError(kafka_faults.sentence(error, config) or told) from error
    if read != probe:
        raise ServiceUnavailableError(
            f"Kafka at {config['bootstrap_servers']} acknowledged a message and did not return it."
        )


def _value_at(topic: str, offset: int, config: kafka.Config, timeout_s: float) -> bytes | None:
    until = time.monotonic() + timeout_s
    consumer = kafka.consumer(config, fetch_max_wait_ms=100)
    try:
        where = TopicPartition(topic, 0)
        consumer.assign([where])
        consumer.seek(where, offset)
        while time.monotonic() < until:
            for record in consumer.poll(timeout_ms=100, max_records=1).get(where, ()):
                value: bytes | None = record.value
                return value if record.offset == offset else None
    finally:
        consumer.close()
    return None
