"""A segment of Kafka's log was cut, or its folder is gone: it is noticed, and the topic is rebuilt."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from kafka import KafkaProducer
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.api_server import eventually

from segue.connections import offsets
from segue.connections.kafka import config as kafka_config
from segue.connections.topics import create_topics
from segue.listens import losses
from segue.listens.events import listen, message
from segue.listens.follower import GROUP, Follower
from segue.listens.losses import Followed
from segue.listens.rebuilding import in_kafka, rebuild_mongodb, rebuild_topic
from segue.settings import Settings
from segue.stack import documents, lifecycle, ports
from segue.stack import kafka as broker
from segue.stack.service import Service
from segue.stack.supervision import Supervisor

pytestmark = pytest.mark.integration

LISTENS = 600


@pytest.fixture
def own(tmp_path: Path, settings: Settings) -> Iterator[Settings]:
    made = Settings(home=tmp_path, jars=settings.jars_dir, **ports.for_a_stack())
    lifecycle.up(made, ["kafka", "mongo"])
    yield made
    lifecycle.down(made)


@contextmanager
def following(own: Settings, database: Database[dict[str, Any]]) -> Iterator[None]:
    follower = Follower(own, database)
    follower.start()
    yield
    follower.close()


def test_a_cut_segment_is_noticed_and_what_it_held_is_sent_again(own: Settings) -> None:
    create_topics(own)
    events = [listen("anna", f"t{number}", 1_700_000_000 + number) for number in range(LISTENS)]
    with MongoClient[dict[str, Any]](own.mongo, tz_aware=True) as client:
        database = client[own.mongo_database]
        with following(own, database), KafkaProducer(**kafka_config(own)) as producer:
            for event in events:
                key, value = message(event)
                producer.send(own.listens_topic, value, key)
                producer.flush()  # a batch of its own
            eventually(lambda: database["listens"].count_documents({}) == LISTENS)

        process = broker.service(own).process()
        assert process
        process.kill()
        process.wait()
        segments = (own.state_dir / "kafka" / "data").glob(f"{own.listens_topic}-?/*.log")
        segment = max(segments, key=lambda path: path.stat().st_size)
        os.truncate(segment, segment.stat().st_size * 2 // 5)
        lifecycle.up(own, ["kafka"])

        left = len(list(in_kafka(own)))
        assert 0 < left < LISTENS
        followed = Followed(database, own.listens_topic)
        with following(own, database):
            eventually(lambda: followed.lost()["kafka"] == LISTENS - left)
            [loss] = losses.find(database, own)
            assert f"Kafka has lost {LISTENS - left} messages" in loss.sentence
            assert rebuild_topic(own, database, ()) == LISTENS - left
            assert losses.find(database, own) == []
            assert {each.event_id for each in in_kafka(own)} == {event.event_id for event in events}
        assert database["listens"].count_documents({}) == LISTENS

        with following(own, database):
            lose_folder(own, broker.service(own))
            eventually(lambda: followed.lost()["kafka"] == LISTENS, timeout_s=180)
            assert rebuild_topic(own, database, ()) == LISTENS
            eventually(lambda: offsets.backlog(kafka_config(own), own.listens_topic, GROUP).size == 0)

            lose_folder(own, documents.service(own))
            eventually(lambda: followed.lost()["mongodb"] == LISTENS, timeout_s=180)
            assert rebuild_mongodb(own, database, ()) == LISTENS


def lose_folder(own: Settings, service: Service) -> None:
    """Delete the data of a store, and let the supervisor start a new server, which knows Segue's login."""
    process = service.process()
    assert process
    process.kill()
    process.wait()
    shutil.rmtree(own.state_dir / service.name / "data")
    Supervisor(own.state_dir, lambda: {service.name: service}).look()
    service.wait(Event())  # a client that reads while the server starts may fail twice, and then raises
