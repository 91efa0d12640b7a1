from __future__ import annotations

from contextlib import contextmanager

import pytest

from segue.connections import kafka
from segue.connections.durability import Replication
from segue.connections.topics import create_topics
from segue.settings import Settings


@pytest.mark.parametrize(("brokers", "factor", "min_isr"), [(1, 1, 1), (2, 2, 1), (3, 3, 2), (7, 3, 2)])
def test_all_topics_are_created_by_one_client(monkeypatch, brokers, factor, min_isr):
    opened, created = [], {}

    class Admin:
        def list_topics(self):
            return ["there"]

        def describe_cluster(self):
            return {"brokers": [{"broker_id": number} for number in range(brokers)]}

        def create_topics(self, topics, wait_for_metadata):
            assert wait_for_metadata
            created.update(topics)

    @contextmanager
    def admin(config):
        opened.append(config)
        yield Admin()

    monkeypatch.setattr(kafka, "admin", admin)
    create_topics(Settings(kafka_port=9, recommendations_topic="there"), timeout_ms=7)
    assert [config["bootstrap_timeout_ms"] for config in opened] == [7]
    retention = {topic: layout["configs"]["retention.ms"] for topic, layout in created.items()}
    days = 24 * 3600 * 1000
    assert retention == {
        "listens": "-1",
        "feedback": "-1",
        "listens.dlq": str(90 * days),
        "tracks": str(30 * days),
    }
    segments = {topic: layout["configs"].get("segment.ms") for topic, layout in created.items()}
    long = {topic for topic, age in segments.items() if age == str(90 * days)}
    assert long == {"listens", "feedback"}, "the others are deleted by segments, so these must be short"
    assert {layout["replication_factor"] for layout in created.values()} == {factor}
    assert {layout["configs"]["min.insync.replicas"] for layout in created.values()} == {str(min_isr)}
    assert str(Replication.on(brokers)).startswith(f"{factor} replica")
