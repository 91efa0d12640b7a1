"""A disk has changed a stored batch of Kafka: the others are read, the loss is told, and the topic is repaired."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.api_server import eventually

from segue.connections.kafka import config as kafka_config
from segue.connections.spark import REFUSED
from segue.connections.topics import create_topics
from segue.errors import ServiceUnavailableError
from segue.listens import losses
from segue.listens.events import Listen, listen, message
from segue.listens.follower import Follower
from segue.listens.losses import Followed
from segue.listens.rebuilding import in_kafka, rebuild_topic
from segue.settings import PROJECT_DIR, Settings
from segue.stack import lifecycle, ports, spark_conf

pytestmark = pytest.mark.integration

BATCHES, SIZE = 5, 20
HEADER = 61
"""Length of a batch's header in bytes, up to its first record."""


@pytest.fixture
def own(tmp_path: Path, settings: Settings) -> Iterator[Settings]:
    made = Settings(home=tmp_path, jars=settings.jars_dir, **ports.for_a_stack())
    lifecycle.up(made, ["kafka", "mongo"])
    create_topics(made)
    yield made
    lifecycle.down(made)


@pytest.fixture
def database(own: Settings) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](own.mongo, tz_aware=True) as client:
        yield client[own.mongo_database]


def send(own: Settings) -> list[Listen]:
    """Send listens in batches. They have one key, so all are in one partition."""
    events = [listen("anna", f"t{number}", 1_700_000_000 + number) for number in range(BATCHES * SIZE)]
    with KafkaProducer(**kafka_config(own), linger_ms=500) as producer:
        for number, event in enumerate(events, 1):
            key, value = message(event)
            producer.send(own.listens_topic, value, key)
            if number % SIZE == 0:
                producer.flush()
    return events


def damage(own: Settings, number: int) -> None:
    """Change the first byte of the records of a batch."""
    segments = (own.state_dir / "kafka" / "data").glob(f"{own.listens_topic}-?/*.log")
    with max(segments, key=lambda path: path.stat().st_size).open("r+b") as segment:
        for _ in range(number):
            segment.seek(8, os.SEEK_CUR)
            segment.seek(int.from_bytes(segment.read(4), "big"), os.SEEK_CUR)
        segment.seek(HEADER, os.SEEK_CUR)
        [byte] = segment.read(1)
        segment.seek(-1, os.SEEK_CUR)
        segment.write(bytes([byte ^ 0xFF]))


def ids(events: Any) -> set[str]:
    return {event.event_id for event in events}


def test_a_damaged_batch_costs_only_itself_and_the_topic_can_be_repaired(
    own: Settings, database: Database[dict[str, Any]]
) -> None:
    events = send(own)
    damage(own, 2)
    follower, stored = Follower(own, database), database["listens"]
    with pytest.raises(ServiceUnavailableError, match="has not stored all messages"):
        rebuild_topic(own, database, ())

    follower.start()
    eventually(lambda: stored.count_documents({}) == len(events) - SIZE)
    assert Followed(database, own.listens_topic).lost() == {"kafka": SIZE, "mongodb": 0}
    [loss] = losses.find(database, own)
    assert f"Kafka has lost {SIZE} messages" in loss.sentence
    job = ingest(own)
    assert job.returncode == REFUSED, job.stderr
    assert "`segue rebuild topic`" in job.stdout.splitlines()[-1]

    sent = rebuild_topic(own, database, events[2 * SIZE : 2 * SIZE + 5])  # five of them are in the lake
    assert sent == 2 * SIZE + 5
    assert losses.find(database, own) == []
    assert ids(in_kafka(own)) == ids(events) - ids(events[2 * SIZE + 5 : 3 * SIZE])
    eventually(lambda: stored.count_documents({}) == len(events) - SIZE + 5)
    assert follower.error is None
    follower.close()
    done = ingest(own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "incubator" not in done.stderr  # a line of each JVM of Spark


def ingest(own: Settings) -> subprocess.CompletedProcess[str]:
    """Run the job that reads Kafka with Spark."""
    return subprocess.run(
        [sys.executable, PROJECT_DIR / "spark_jobs" / "ingest_listens.py", "--run-id", "listens/damaged"],
        env=os.environ | own.environment | spark_conf.environment(own),
        capture_output=True,
        text=True,
        check=False,
    )
