from __future__ import annotations

from contextlib import contextmanager

from segue.connections import kafka
from segue.connections.topics import create_topics
from segue.settings import Settings


def test_all_topics_are_created_by_one_client(monkeypatch):
    opened, created = [], {}

    class Admin:
        def create_topics(self, topics, wait_for_metadata):
            assert wait_for_metadata
            created.update(topics)

    @contextmanager
    def admin(config):
        opened.append(config)
        yield Admin()

    monkeypatch.setattr(kafka, "admin", admin)
    create_topics(Settings(kafka_port=9), timeout_ms=7)
    assert [config["bootstrap_timeout_ms"] for config in opened] == [7]
    retention = {topic: layout["configs"]["retention.ms"] for topic, layout in created.items()}
    days = 24 * 3600 * 1000
    assert retention == {
        "listens": "-1",
        "feedback": "-1",
        "listens.dlq": str(90 * days),
        "tracks": str(30 * days),
        "recommendations": str(7 * days),
    }
    segments = {topic: layout["configs"].get("segment.ms") for topic, layout in created.items()}
    long = {topic for topic, age in segments.items() if age == str(90 * days)}
    assert long == {"listens", "feedback"}, "the others are deleted by segments, so these must be short"
