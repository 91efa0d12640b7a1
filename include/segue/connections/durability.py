"""What Kafka keeps of Segue: the replicas of its topics, and the offsets of consumer groups that rest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import AuthorizationError

from segue.connections import kafka
from segue.errors import ServiceUnavailableError
from segue.settings import Settings

MIN_ISR: Final = "min.insync.replicas"
RETENTION: Final = "offsets.retention.minutes"
LEAST_RETENTION_DAYS: Final = 365
"""Longest pause between two trainings that is expected."""
GOOD_RETENTION_MINUTES: Final = 10 * 365 * 24 * 60
MOVE_S: Final = 600.0
"""How long :func:`replicate` waits for the copies of a topic."""


@dataclass(frozen=True)
class Replication:
    """How often a topic is stored, and how many replicas must have a message before it is acknowledged."""

    factor: int
    min_isr: int

    @classmethod
    def on(cls, brokers: int) -> Replication:
        """Return what suits a number of brokers: 1 and 1 on one, 2 and 1 on two, 3 and 2 on three or more.

        With 3 and 2, each acknowledged message survives the loss of one broker, and messages are still accepted.
        """
        return cls(min(brokers, 3), 2 if brokers >= 3 else 1)

    @classmethod
    def possible(cls, admin: KafkaAdminClient) -> Replication:
        """Return what suits the brokers that run now."""
        return cls.on(len(_brokers(admin)))

    def __str__(self) -> str:
        """Return it as in ``3 replicas and min.insync.replicas=2``."""
        return f"{self.factor} replica{'s' * (self.factor > 1)} and {MIN_ISR}={self.min_isr}"


def weak_topics(admin: KafkaAdminClient, settings: Settings) -> dict[str, Replication]:
    """Find Segue's topics that are stored less often than the brokers allow.

    Returns
    -------
    dict of str to Replication
        What each of these topics has.
    """
    wanted, found = Replication.possible(admin), {}
    if wanted == Replication.on(1):
        return {}  # no topic has less, so none needs to be looked at
    for topic in _topics(admin, settings):
        factor = min(len(partition["replica_nodes"]) for partition in topic["partitions"])
        found[topic["name"]] = Replication(factor, _min_isr(admin, topic["name"]))
    return {name: has for name, has in found.items() if has.factor < wanted.factor or has.min_isr < wanted.min_isr}


def replication_warning(admin: KafkaAdminClient, settings: Settings) -> str | None:
    """Return a sentence about topics that are stored too seldom, and the command that mends it, or None."""
    weak = weak_topics(admin, settings)
    if not weak:
        return None
    brokers, wanted = len(_brokers(admin)), Replication.possible(admin)
    told = "; ".join(f"{name} has {has}" for name, has in sorted(weak.items()))
    return (
        f"Kafka has {brokers} brokers, but {told}. If a broker is lost, listens may be lost with it. "
        f"`segue replicate` gives the topics {wanted}."
    )


def retention_warning(admin: KafkaAdminClient) -> str | None:
    """Return a sentence if the brokers forget the offsets of a group that rests too early, or None."""
    try:
        minutes = min(
            int(_configs(admin, ConfigResourceType.BROKER, str(each))[RETENTION]) for each in _brokers(admin)
        )
    except AuthorizationError:
        return (
            f"Kafka does not let this user read the brokers' {RETENTION}. See to it yourself that it is at least "
            f"{LEAST_RETENTION_DAYS * 24 * 60}, or grant DescribeConfigs on the cluster."
        )
    days = minutes / (24 * 60)
    if days >= LEAST_RETENTION_DAYS:
        return None
    return (
        f"Kafka forgets how far a consumer group was once the group has rested for {days:g} days. After a longer "
        f"pause, the next training would take all listens as new. Set {RETENTION}={GOOD_RETENTION_MINUTES} (ten "
        "years) on the brokers."
    )


def is_kept_for_ever(config: kafka.Config, topic: str) -> bool:
    """Return whether Kafka deletes no message of a topic by itself. False if it does not let this user know.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or there is no such topic.
    """
    with kafka.admin(config) as admin:
        try:
            configs = _configs(admin, ConfigResourceType.TOPIC, topic)
        except AuthorizationError:
            return False
    kept = int(configs["retention.ms"]), int(configs["retention.bytes"])
    return kept == (-1, -1) and configs["cleanup.policy"] == "delete"


def replicate(settings: Settings) -> str:
    """Give each of Segue's topics as many replicas as the brokers allow. It may be repeated.

    Returns
    -------
    str
        A sentence about what was done.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, it refuses, or the copies are not complete in time.
    """
    with kafka.admin(kafka.config(settings)) as admin:
        wanted, weak = Replication.possible(admin), weak_topics(admin, settings)
        if not weak:
            return f"All topics have at least {wanted}."
        if moves := dict(_moves(admin, settings, wanted.factor)):
            refused = {
                f"{where}: {error}" for where, error in admin.alter_partition_reassignments(moves).items() if error
            }
            if refused:
                raise ServiceUnavailableError(f"Kafka refuses other replicas: {', '.join(sorted(refused))}")
            _wait(admin)
        # Only now: with too few replicas, the brokers would refuse all messages.
        settings_of = [
            ConfigResource(ConfigResourceType.TOPIC, name, configs={MIN_ISR: str(wanted.min_isr)})
            for name, has in weak.items()
            if has.min_isr < wanted.min_isr
        ]
        if settings_of:
            admin.alter_configs(settings_of)
        return f"{', '.join(sorted(weak))}: each topic has {wanted} now."


def _moves(admin: KafkaAdminClient, settings: Settings, factor: int) -> Iterator[tuple[TopicPartition, list[int]]]:
    """Yield the new replicas of each partition that needs more. The present ones stay, and stay first."""
    brokers = _brokers(admin)
    for topic in _topics(admin, settings):
        for partition in topic["partitions"]:
            number, has = partition["partition_index"], list(partition["replica_nodes"])
            # Start at another broker for each partition, so that all get their share.
            first = number % len(brokers)
            others = [each for each in brokers[first:] + brokers[:first] if each not in has]
            if missing := factor - len(has):
                yield TopicPartition(topic["name"], number), has + others[: max(missing, 0)]


def _wait(admin: KafkaAdminClient) -> None:
    until = time.monotonic() + MOVE_S
    while admin.list_partition_reassignments():
        if time.monotonic() > until:
            raise ServiceUnavailableError(
                "Kafka is still copying the topics. Run `segue replicate` again when it has finished."
            )
        time.sleep(0.5)


def _topics(admin: KafkaAdminClient, settings: Settings) -> list[dict[str, Any]]:
    names = {getattr(settings, name) for name in type(settings).model_fields if name.endswith("_topic")}
    described: list[dict[str, Any]] = admin.describe_topics(sorted(names & set(admin.list_topics())))
    return described


def _brokers(admin: KafkaAdminClient) -> list[int]:
    return sorted(broker["broker_id"] for broker in admin.describe_cluster()["brokers"])


def _min_isr(admin: KafkaAdminClient, topic: str) -> int:
    return int(_configs(admin, ConfigResourceType.TOPIC, topic)[MIN_ISR])


def _configs(admin: KafkaAdminClient, kind: ConfigResourceType, name: str) -> dict[str, Any]:
    [answer] = admin.describe_configs([ConfigResource(kind, name)], config_filter="all").values()
    return {key: data["value"] for key, data in answer[name].items()}
