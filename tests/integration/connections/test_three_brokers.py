"""Three real brokers: every message is on each of them, so one may die while listens arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.api_server import eventually
from tests.support.brokers import Brokers, running

from segue.connections import durability, kafka, topics
from segue.connections.durability import Replication
from segue.listens.events import listen
from segue.listens.follower import Follower
from segue.listens.writer import EventWriter, NotWritten
from segue.settings import Settings
from segue.stack import services_check

pytestmark = pytest.mark.integration
BATCH, BATCHES = 50, 40


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Brokers]:
    with running(Brokers(tmp_path_factory.mktemp("brokers"), settings, count=3)) as made:
        here = settings.model_copy(update={"kafka_bootstrap_servers": made.bootstrap})
        eventually(lambda: number_of_brokers(here) == 3, timeout_s=120)
        yield made


@pytest.fixture
def here(brokers: Brokers, settings: Settings) -> Settings:
    changes = {"kafka_bootstrap_servers": brokers.bootstrap, "mongo_database": "three-brokers"}
    return settings.model_copy(update=changes)


@pytest.fixture
def database(here: Settings, mongo: Database[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    assert mongo is not None
    with MongoClient[dict[str, Any]](here.mongo, tz_aware=True) as client:
        yield client[here.mongo_database]
        client.drop_database(here.mongo_database)


def number_of_brokers(settings: Settings) -> int:
    with kafka.admin(kafka.config(settings)) as admin:
        return len(admin.describe_cluster()["brokers"])


def described(settings: Settings, topic: str) -> list[dict[str, Any]]:
    with kafka.admin(kafka.config(settings)) as admin:
        [found] = admin.describe_topics([topic])
        partitions: list[dict[str, Any]] = found["partitions"]
        return partitions


def test_a_broker_dies_while_listens_arrive_and_each_counts_once(
    here: Settings, brokers: Brokers, database: Database[dict[str, Any]]
) -> None:
    topics.create_topics(here)
    partitions = described(here, here.listens_topic)
    assert [len(each["replica_nodes"]) for each in partitions] == [3] * topics.LISTENS_PARTITIONS
    with kafka.admin(kafka.config(here)) as admin:
        assert durability.weak_topics(admin, here) == {}
    leader = partitions[0]["leader_id"]

    events = [
        [listen("someone", f"t{n}", 1_700_000_000 + batch * BATCH + n) for n in range(BATCH)]
        for batch in range(BATCHES)
    ]
    writer, follower, refused = EventWriter(kafka.config(here)), Follower(here, database), 0

    async def send() -> None:
        nonlocal refused
        for number, batch in enumerate(events):
            if number == BATCHES // 3:
                await asyncio.to_thread(brokers.kill, leader - 1)
            # A key of its own for each event spreads them over all partitions.
            records = [(event.event_id.encode(), event.model_dump_json().encode()) for event in batch]
            until = time.monotonic() + 120
            while True:  # as a player does, which sends again what was not acknowledged
                try:
                    await writer.write(here.listens_topic, records)
                    break
                except NotWritten:
                    refused += 1
                    assert time.monotonic() < until
                    await asyncio.sleep(0.5)

    writer.start()
    follower.start()
    try:
        asyncio.run(send())
        expected = {event.event_id for batch in events for event in batch}
        eventually(lambda: database["listens"].count_documents({}) >= len(expected), timeout_s=120)
        assert {each["_id"] for each in database["listens"].find({}, {"_id": 1})} == expected
    finally:
        writer.close()
        follower.close()
    assert leader not in {each["leader_id"] for each in described(here, here.listens_topic)}
    brokers.start_again(leader - 1)
    eventually(
        lambda: all(len(each["isr_nodes"]) == 3 for each in described(here, here.listens_topic)), timeout_s=120
    )


def test_topics_of_a_cluster_that_was_smaller_are_named_and_mended(here: Settings) -> None:
    here = here.model_copy(update={"listens_topic": "from-one-broker", "feedback_topic": "from-two-brokers"})
    with kafka.admin(kafka.config(here)) as admin:
        made = {"num_partitions": 4, "replication_factor": 1}
        admin.create_topics(
            {"from-one-broker": made, "from-two-brokers": made | {"replication_factor": 2}}, wait_for_metadata=True
        )
        assert durability.weak_topics(admin, here) == {
            "from-one-broker": Replication(1, 1),
            "from-two-brokers": Replication(2, 1),
        }
    found = [finding.sentence for finding in services_check.examine(here)]
    [weak] = [each for each in found if "segue replicate" in each]
    assert "Kafka has 3 brokers, but from-one-broker has 1 replica and min.insync.replicas=1; from-two" in weak
    [forgets] = [each for each in found if "offsets.retention.minutes=5256000" in each]
    assert "rested for 7 days" in forgets

    before = {each["partition_index"]: each["replica_nodes"] for each in described(here, "from-one-broker")}
    assert durability.replicate(here) == (
        "from-one-broker, from-two-brokers: each topic has 3 replicas and min.insync.replicas=2 now."
    )
    after = {each["partition_index"]: each["replica_nodes"] for each in described(here, "from-one-broker")}
    assert all(len(nodes) == 3 and nodes[0] == before[number][0] for number, nodes in after.items())
    with kafka.admin(kafka.config(here)) as admin:
        assert durability.weak_topics(admin, here) == {}
    assert durability.replicate(here).startswith("All topics have at least 3 replicas")
