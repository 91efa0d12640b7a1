"""The Kafka topics: how many partitions each has, and how long it keeps what it holds."""

from __future__ import annotations

from kafka.errors import TopicAlreadyExistsError

from segue.connections import kafka
from segue.settings import Settings

LISTENS_PARTITIONS = 4
"""Partitions of the topic of listens: at most so many consumers share the work."""

DEAD_LETTERS_PARTITIONS = 1
"""One, so that ``segue dlq`` numbers the dead letters by a single offset."""

TRACKS_PARTITIONS = 1
"""One message for each day that a corpus run changes, in the order of the runs, for one consumer."""

FOR_EVER_DAYS = None
DEAD_LETTERS_RETENTION_DAYS = 90
RECOMMENDATIONS_RETENTION_DAYS = 7
TRACKS_RETENTION_DAYS = 30
DAY_MS = 24 * 3600 * 1000


def create_topics(settings: Settings, timeout_ms: int = 5_000) -> None:
    """Create the topics that do not exist; leave the others as they are.

    ``listens`` and ``feedback`` are keyed by user and kept for ever. Dead letters are kept for 90 days, announced
    recommendations for 7, announced tracks for 30. A consumer that misses an announcement finds the tracks in
    MongoDB.

    Parameters
    ----------
    settings : Settings
    timeout_ms : int
        Longest wait for a broker, in milliseconds.

    Raises
    ------
    StackError
        If no broker answers.
    """
    config = kafka.config(settings) | {"bootstrap_timeout_ms": timeout_ms}
    create_listens_topic(config, settings.listens_topic)
    _create(config, settings.feedback_topic, LISTENS_PARTITIONS, FOR_EVER_DAYS)
    _create(config, settings.dead_letters_topic, DEAD_LETTERS_PARTITIONS, DEAD_LETTERS_RETENTION_DAYS)
    _create(config, settings.tracks_topic, TRACKS_PARTITIONS, TRACKS_RETENTION_DAYS)
    _create(config, settings.recommendations_topic, LISTENS_PARTITIONS, RECOMMENDATIONS_RETENTION_DAYS)


def create_listens_topic(config: kafka.Config, topic: str) -> None:
    """Create the topic of listens where it does not exist; leave it as it is where it does.

    Listens are kept for ever, because every training starts from the first.

    Raises
    ------
    StackError
        If no broker answers.
    """
    _create(config, topic, LISTENS_PARTITIONS, FOR_EVER_DAYS)


def _create(config: kafka.Config, topic: str, partitions: int, retention_days: int | None) -> None:
    retention_ms = -1 if retention_days is None else retention_days * DAY_MS
    configs = {"retention.ms": str(retention_ms), "cleanup.policy": "delete"}
    layout = {"num_partitions": partitions, "replication_factor": -1, "configs": configs}
    with kafka.admin(config) as admin:
        try:
            admin.create_topics({topic: layout}, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            return
