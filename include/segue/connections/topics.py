"""The Kafka topics: their partitions, retention and replicas."""

from __future__ import annotations

from contextlib import suppress

from kafka import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from segue.connections import kafka
from segue.connections.durability import MIN_ISR, Replication
from segue.settings import Settings

LISTENS_PARTITIONS = 4
"""Partitions of the topic of listens. At most this many consumers of a group share the work."""

DEAD_LETTERS_PARTITIONS = 1
"""One partition, because ``segue dlq`` numbers the dead letters by offset."""

TRACKS_PARTITIONS = 1
"""One partition, so that announced days stay in the order of the runs of the DAG `corpus`."""

FOR_EVER_DAYS = None
DEAD_LETTERS_RETENTION_DAYS = 90
RECOMMENDATIONS_RETENTION_DAYS = 7
TRACKS_RETENTION_DAYS = 30
HEALTH_RETENTION_DAYS = 1
DAY_MS = 24 * 3600 * 1000

SEGMENT_DAYS = 90
"""Age at which a topic that is kept forever begins a new segment, unless 1 GB is reached before.

The broker has a file handle for each segment. With Kafka's default of a week, four partitions take 200 more
handles each year.
"""


def create_topics(settings: Settings, timeout_ms: int = 5_000) -> None:
    """Create the topics that do not exist, and leave the others as they are.

    ``listens`` and ``feedback`` are keyed by user and kept forever. Dead letters are kept for 90 days, announced
    recommendations for 7, announced tracks for 30. A consumer that misses an announcement finds the tracks in
    MongoDB. The number of brokers decides about the replicas: see :class:`Replication`.

    Parameters
    ----------
    settings : Settings
    timeout_ms : int
        Longest wait for a broker, in milliseconds.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers.
    """
    kept = {
        settings.listens_topic: (LISTENS_PARTITIONS, FOR_EVER_DAYS),
        settings.feedback_topic: (LISTENS_PARTITIONS, FOR_EVER_DAYS),
        settings.dead_letters_topic: (DEAD_LETTERS_PARTITIONS, DEAD_LETTERS_RETENTION_DAYS),
        settings.tracks_topic: (TRACKS_PARTITIONS, TRACKS_RETENTION_DAYS),
        settings.recommendations_topic: (LISTENS_PARTITIONS, RECOMMENDATIONS_RETENTION_DAYS),
    }
    with kafka.admin(kafka.config(settings) | {"bootstrap_timeout_ms": timeout_ms}) as admin:
        for topic in kept.keys() - set(admin.list_topics()):
            _create(admin, topic, *kept[topic])


def create_health_topic(settings: Settings, config: kafka.Config) -> None:
    """Create the topic of probes if it does not exist. Its messages are kept for a day.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers.
    """
    _create_if_missing(config, settings.health_topic, HEALTH_RETENTION_DAYS)


def create_accounts_topic(settings: Settings, config: kafka.Config) -> None:
    """Create the topic of accounts if it does not exist. It keeps the last message of each key.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers.
    """
    _create_if_missing(config, settings.accounts_topic, FOR_EVER_DAYS, policy="compact")


def create_listens_topic(config: kafka.Config, topic: str) -> None:
    """Create the topic of listens if it does not exist.

    Listens are kept forever, because every training starts from the first.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers.
    """
    with kafka.admin(config) as admin:
        _create(admin, topic, LISTENS_PARTITIONS, FOR_EVER_DAYS)


def _create_if_missing(
    config: kafka.Config, topic: str, retention_days: int | None, policy: str = "delete"
) -> None:
    """Create a topic of one partition. Looking first is cheaper, because it exists nearly always."""
    with kafka.admin(config) as admin:
        if topic not in admin.list_topics():
            _create(admin, topic, 1, retention_days, policy)


def _create(
    admin: KafkaAdminClient, topic: str, partitions: int, retention_days: int | None, policy: str = "delete"
) -> None:
    retention_ms = -1 if retention_days is None else retention_days * DAY_MS
    replication = Replication.possible(admin)
    configs = {"retention.ms": str(retention_ms), "cleanup.policy": policy, MIN_ISR: str(replication.min_isr)}
    if retention_days is None and policy == "delete":
        configs["segment.ms"] = str(SEGMENT_DAYS * DAY_MS)
    layout = {"num_partitions": partitions, "replication_factor": replication.factor, "configs": configs}
    with suppress(TopicAlreadyExistsError):
        admin.create_topics({topic: layout}, wait_for_metadata=True)
