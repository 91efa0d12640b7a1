"""What Kafka or MongoDB has lost is noticed, and stays noted until it is repaired."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.api_server import eventually

from segue.connections import kafka, offsets, probes
from segue.connections.kafka import Config
from segue.connections.kafka import config as kafka_config
from segue.connections.topics import create_topics
from segue.connections.windows import OffsetWindow
from segue.errors import ServiceUnavailableError
from segue.listens import losses
from segue.listens.events import listen
from segue.listens.follower import Follower
from segue.listens.losses import Followed
from segue.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def database(settings: Settings, mongo: Database[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    """Open a database of the test's own."""
    assert mongo is not None
    with MongoClient[dict[str, Any]](settings.mongo, tz_aware=True) as client:
        yield client[f"losses-{time.monotonic_ns()}"]


@pytest.fixture
def own(settings: Settings, kafka: Config, database: Database[dict[str, Any]], tmp_path: Path) -> Settings:
    """Settings with topics and a database of the test's own."""
    assert kafka
    name = database.name
    topics = {"listens_topic": name, "health_topic": f"{name}.health"}
    return settings.model_copy(update={"mongo_database": name, "lake": str(tmp_path), **topics})


def window(topic: str, start: int, end: int, topic_id: str = "one") -> OffsetWindow:
    return OffsetWindow(topic, {0: (start, end)}, topic_id=topic_id)


def test_probes_are_written_and_read_back_as_often_as_one_likes(
    own: Settings, database: Database[dict[str, Any]]
) -> None:
    for _ in range(2):
        probes.check_mongodb(database)
        probes.check_kafka(own, kafka.config(own), timeout_s=10)
    assert database[probes.COLLECTION].count_documents({}) == 1


def test_a_broker_that_is_not_there_fails_the_probe(own: Settings, free_ports: Any) -> None:
    [port] = free_ports(1)
    nowhere = {"bootstrap_servers": f"127.0.0.1:{port}", "bootstrap_timeout_ms": 500}
    with pytest.raises(ServiceUnavailableError):
        probes.check_kafka(own, nowhere, timeout_s=1)


def test_each_kind_of_loss_is_counted_until_it_is_repaired(database: Database[dict[str, Any]]) -> None:
    followed = Followed(database, "listens")

    def lost(backlog: OffsetWindow, whole: OffsetWindow, *, kept: bool = True) -> dict[str, int]:
        followed.compare(backlog, whole, kept=kept)
        return dict(followed.lost())

    empty = window("listens", 0, 0)
    assert lost(empty, empty) == {"kafka": 0, "mongodb": 0}, "a new stack"
    followed.note(window("listens", 0, 600).ends)
    assert lost(window("listens", 600, 600), window("listens", 0, 600)) == {"kafka": 0, "mongodb": 0}
    assert lost(window("listens", 0, 240), window("listens", 0, 240)) == {"kafka": 360, "mongodb": 0}, "cut"
    assert lost(window("listens", 0, 240), window("listens", 0, 240)) == {"kafka": 360, "mongodb": 0}, "once"
    followed.note(window("listens", 0, 100).ends)
    assert lost(window("listens", 240, 240), window("listens", 0, 240)) == {"kafka": 360, "mongodb": 140}, "older"
    followed.repaired("kafka")
    assert lost(window("listens", 240, 240), window("listens", 70, 240)) == {"kafka": 70, "mongodb": 140}, "begins"
    assert lost(window("listens", 240, 240), window("listens", 90, 240), kept=False)["kafka"] == 70, "retention"
    followed.repaired("kafka")
    again = window("listens", 0, 10, topic_id="two")
    assert lost(again, again) == {"kafka": 230, "mongodb": 140}, "created again"
    said = [loss.sentence for loss in losses.find(database, Settings(lake="/no/lake"))]
    assert [loss for loss in said if "lacks 140 listens" in loss and "`segue rebuild listens`" in loss]
    assert [loss for loss in said if "lost 230 messages" in loss and "`segue rebuild topic`" in loss]


@pytest.mark.parametrize(("held", "lost"), [(0, 242), (100, 142), (200, 0)])
def test_a_database_of_an_earlier_version_is_whole_if_it_holds_most_of_the_topic(
    database: Database[dict[str, Any]], held: int, lost: int
) -> None:
    if held:
        database["listens"].insert_many([{"_id": str(number)} for number in range(held)])
    followed = Followed(database, "listens")
    followed.compare(window("listens", 242, 242), window("listens", 0, 242), kept=True)
    assert followed.lost()["mongodb"] == lost


@pytest.mark.parametrize(("held", "lacks"), [(0, True), (1_000, True), (8_000, False)])
def test_a_large_number_of_listens_is_estimated_from_a_part_of_the_ids(
    database: Database[dict[str, Any]], held: int, lacks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "COUNTED", 100)
    if held:
        ids = (blake2b(str(number).encode(), digest_size=16).hexdigest() for number in range(held))
        database["listens"].insert_many([{"_id": each} for each in ids])
    followed = Followed(database, "listens")
    followed.compare(window("listens", 8_000, 8_000), window("listens", 0, 8_000), kept=True)
    assert (followed.lost()["mongodb"] > 0) == lacks


def test_what_the_lake_lacks_is_told_with_the_dag_that_writes_it(
    database: Database[dict[str, Any]], tmp_path: Path
) -> None:
    reports = database["run_summaries"]
    reports.insert_one({"_id": "corpus/run/inventory"})
    reports.insert_one({"_id": "listens/run/ingest_listens", "held": None})
    assert losses.find(database, Settings(lake=str(tmp_path))) == []
    reports.insert_one({"_id": "corpus/run/publish"})
    reports.insert_one({"_id": "listens/later/ingest_listens", "held": {"listens": 3}})
    found = losses.find(database, Settings(lake=str(tmp_path)))
    assert [("`listens`" in loss.sentence, "`corpus`" in loss.sentence) for loss in found] == [
        (True, False),
        (False, True),
    ]
    for table in ("tracks", "listens"):
        (tmp_path / table / "_delta_log").mkdir(parents=True)
        (tmp_path / table / "_delta_log" / f"{0:020}.json").touch()
    [unpublished] = losses.find(database, Settings(lake=str(tmp_path)))
    assert "MongoDB has no published tracks" in unpublished.sentence
    database["announced"].insert_many([{"_id": "2026-03-01", "tracks": 2}, {"_id": "2026-03-02", "tracks": 1}])
    database["tracks"].insert_many([{"_id": number} for number in range(3)])
    assert losses.find(database, Settings(lake=str(tmp_path))) == []
    database["tracks"].delete_one({"_id": 1})
    [lost] = losses.find(database, Settings(lake=str(tmp_path)))
    assert (lost.store, lost.count) == ("mongodb", 1)
    assert "lacks 1 of the published tracks. Trigger the DAG `corpus` without dates" in lost.sentence


@contextmanager
def following(own: Settings, database: Database[dict[str, Any]]) -> Iterator[None]:
    follower = Follower(own, database)
    follower.start()
    yield
    follower.close()


def test_a_follower_notices_a_database_and_a_topic_that_were_replaced(
    own: Settings, database: Database[dict[str, Any]]
) -> None:
    create_topics(own)
    followed = Followed(database, own.listens_topic)
    with following(own, database):
        with KafkaProducer(**kafka_config(own)) as producer:
            for number in range(20):
                event = listen("anna", f"t{number}", 1_700_000_000 + number)
                producer.send(own.listens_topic, event.model_dump_json().encode(), b"anna")
        eventually(lambda: database["listens"].count_documents({}) == 20)
        assert followed.lost() == {"kafka": 0, "mongodb": 0}
        database.client.drop_database(database.name)
        eventually(lambda: followed.lost() == {"kafka": 0, "mongodb": 20})
    whole = offsets.whole_topic(kafka_config(own), own.listens_topic)
    [partition] = [partition for partition, end in whole.ends.items() if end]
    with KafkaAdminClient(**kafka_config(own)) as admin:
        admin.delete_records({TopicPartition(own.listens_topic, partition): 5})  # as if its first segment was gone
    with following(own, database):
        eventually(lambda: followed.lost() == {"kafka": 5, "mongodb": 20})
    with KafkaAdminClient(**kafka_config(own)) as admin:
        admin.delete_topics([own.listens_topic])
        eventually(lambda: own.listens_topic not in admin.list_topics())
    create_topics(own)
    with following(own, database):
        eventually(lambda: followed.lost() == {"kafka": 25, "mongodb": 20})
