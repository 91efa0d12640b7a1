"""The Kafka topics besides ``listens``: how many partitions, how long they keep what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from segue.connections.offsets import LISTENS_PARTITIONS, create_listens_topic
from segue.settings import Settings

DEAD_LETTERS_PARTITIONS = 1
"""One, so that ``segue dlq`` numbers the dead letters by a single offset."""

TRACKS_PARTITIONS = 1
"""A message for each day that a corpus run changes: one consumer, and in the order of the runs."""

DEAD_LETTERS_RETENTION_DAYS = 90
RECOMMENDATIONS_RETENTION_DAYS = 7
TRACKS_RETENTION_DAYS = 30
DAY_MS = 24 * 3600 * 1000


def create_topics(settings: Settings, timeout_ms: int = 5_000) -> None:
    """Make the topics that do not exist; leave those that do as they are.

    ``listens`` and ``feedback`` are keyed by user and kept for ever, dead letters for 90 days, announced
    recommendations for 7, announced tracks for 30: who misses them finds the tracks in MongoDB all the same.

    Raises
    ------
    StackError
        If no broker answers.
    """
    config = {"bootstrap_servers": settings.kafka_bootstrap, "bootstrap_timeout_ms": timeout_ms}
    create_listens_topic(config, settings.listens_topic)
    retention_ms = DEAD_LETTERS_RETENTION_DAYS * DAY_MS
    _create(config, settings.feedback_topic, LISTENS_PARTITIONS, -1)
    _create(config, settings.dead_letters_topic, DEAD_LETTERS_PARTITIONS, retention_ms)
    _create(config, settings.tracks_topic, TRACKS_PARTITIONS, TRACKS_RETENTION_DAYS * DAY_MS)
    _create(config, settings.recommendations_topic, LISTENS_PARTITIONS, RECOMMENDATIONS_RETENTION_DAYS * DAY_MS)


def _create(config: Mapping[str, Any], topic: str, partitions: int, retention_ms: int) -> None:
    admin = KafkaAdminClient(**config)
    try:
        configs = {"retention.ms": str(retention_ms), "cleanup.policy": "delete"}
        layout = {"num_partitions": partitions, "replication_factor": -1, "configs": configs}
        admin.create_topics({topic: layout}, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return
    finally:
        admin.close()
