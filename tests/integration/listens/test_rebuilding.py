"""The drill: each store of listens is lost in turn, and is rebuilt from the others."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from pymongo.database import Database
from tests.support.api_server import eventually

from segue.connections.kafka import Config
from segue.connections.kafka import config as kafka_config
from segue.connections.topics import create_topics
from segue.listens import losses
from segue.listens.comparing import SETTLED_S, compare
from segue.listens.events import Listen, listen, message
from segue.listens.ingestion import ingest
from segue.listens.lake_table import ListensTable
from segue.listens.losses import Followed
from segue.listens.matching import TrackIndex
from segue.listens.plays import Play, event_of
from segue.listens.rebuilding import in_kafka, in_lake, in_mongodb, rebuild_mongodb, rebuild_topic
from segue.listens.removals import Removals, user_key
from segue.listens.store import ListenStore
from segue.settings import Settings

pytestmark = pytest.mark.integration

NOON = 1_772_712_000


def by_id(events: Any) -> dict[str, Listen]:
    return {event.event_id: event for event in events}


def test_every_store_of_listens_is_rebuilt_from_the_others(
    spark: Any, settings: Settings, kafka: Config, mongo: Database[dict[str, Any]], tmp_path: Path
) -> None:
    assert kafka
    name = f"rebuilt-{time.monotonic_ns()}"
    own = settings.model_copy(update={"lake": str(tmp_path), "listens_topic": name, "mongo_database": name})
    database, table = mongo.client[name], ListensTable(spark, str(tmp_path))
    removals, store = Removals(database), ListenStore(database)
    info = {"player": "x", "tags": ["a", "b"]}
    stay = [event_of("anna", Play(NOON + i, "Björk", f"Jóga {i}", None, info), TrackIndex([])) for i in range(20)]
    stay.append(listen("old", "t1", NOON))
    stay.append(listen("ahead", "t1", NOON).model_copy(update={"received_at": time.time() + 86_400}))
    gone = event_of("bob", Play(NOON, "Björk", "Jóga"), TrackIndex([]))

    def send(*events: Listen) -> None:
        create_topics(own)
        with KafkaProducer(**kafka_config(own)) as producer:
            for event in events:
                key, value = message(event)
                producer.send(own.listens_topic, value, key)

    def to_lake(rebuild: tuple[None, None] | None = None) -> None:
        removed = spark.createDataFrame(list(removals.all().items()), "key string, removed_at double")
        ingest(spark, own, removed, rebuild=rebuild)

    def delete_topic() -> None:
        with KafkaAdminClient(**kafka_config(own)) as admin:
            admin.delete_topics([own.listens_topic])
            eventually(lambda: own.listens_topic not in admin.list_topics())

    send(*stay[1:], gone)
    to_lake()
    send(stay[0])  # since the last run of the DAG
    store.put(stay)
    removals.add(user_key("bob"))

    delete_topic()
    create_topics(own)
    assert rebuild_topic(own, database, in_lake(table)) == len(stay)
    assert by_id(in_kafka(own)) == by_id(stay)
    assert rebuild_topic(own, database, in_lake(table)) == 0

    removed = removals.all()
    mongo.client.drop_database(name)
    removals.restore(removed)  # as from the mirror
    assert rebuild_mongodb(own, database, in_lake(table)) == len(stay)
    assert by_id(in_mongodb(database)) == by_id(stay)
    assert rebuild_mongodb(own, database, in_lake(table)) == 0

    to_lake()
    table.remove(spark.createDataFrame(list(removed.items()), "key string, removed_at double"))
    assert by_id(in_lake(table)) == by_id(stay), "the new topic has added nothing twice"

    def compared() -> tuple[int, int]:
        said = compare(own, database, table, before=time.time() + 2 * SETTLED_S, day=date(2026, 3, 5))
        assert "listens were compared" in said
        return followed.lost()["mongodb"], followed.missing_in_lake()

    followed = Followed(database, own.listens_topic)
    not_yet = compare(own, database, table, before=time.time(), day=date(2026, 3, 5))
    assert "has not caught up" in not_yet
    followed.note(table.offsets(own.listens_topic))
    store.put([gone])  # forgotten, but still there, as in a backup
    assert compared() == (0, 0)
    store.discard([stay[3], gone])
    table.delta().delete(f"event_id IN ('{stay[5].event_id}', '{stay[6].event_id}')")
    assert compared() == (1, 2)
    said = " ".join(loss.sentence for loss in losses.find(database, own))
    assert "MongoDB lacks 1 listens that it had stored. `segue rebuild listens`" in said
    assert "The lake lacks 2 listens that MongoDB has. Trigger the DAG `listens` with mode `rebuild`" in said
    assert rebuild_mongodb(own, database, in_lake(table)) == 1
    to_lake(rebuild=(None, None))
    followed.repaired("lake")
    assert compared() == (0, 0)

    delete_topic()
    create_topics(own)
    mongo.client.drop_database(name)
    removals.restore(removed)
    assert rebuild_mongodb(own, database, in_lake(table)) == len(stay), "from the lake alone"
    assert rebuild_topic(own, database, ()) == len(stay), "from MongoDB alone"
    assert by_id(in_kafka(own)) == by_id(stay)
