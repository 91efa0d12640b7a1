"""What Segue asks of a Kafka broker besides messages: topics, offsets, a group's backlog, commits.

Everything goes through the admin client, so that no consumer ever joins the group: the group has no members, and
its committed offsets move only in :func:`commit`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError, RetriableError, TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from segue.connections.windows import OffsetWindow
from segue.errors import StackError

LISTENS_PARTITIONS = 4
"""Partitions of the topic of listens: the most consumers that can share the work."""

BOOTSTRAP_TIMEOUT_MS = 10_000

Config = Mapping[str, Any]
"""Keyword arguments of kafka-python's clients, at least ``bootstrap_servers``."""


class _Admin(KafkaAdminClient):  # type: ignore[misc]
    """A client that closes itself where it finds no broker; kafka-python's own leaves its thread running."""

    def __init__(self, **config: Any) -> None:
        try:
            super().__init__(**config)
        except KafkaError:
            self._closed = False
            self.close()
            raise


@contextmanager
def _admin(config: Config) -> Iterator[KafkaAdminClient]:
    servers = config["bootstrap_servers"]
    try:
        client = _Admin(**{"bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS, **config})
    except RetriableError as error:
        raise StackError(
            f"No Kafka broker answers at {servers}: start it with `segue up`, "
            "or set SEGUE_KAFKA_BOOTSTRAP_SERVERS to where it is."
        ) from error
    except KafkaError as error:
        raise StackError(f"The Kafka broker at {servers} refused: {error}") from error
    try:
        yield client
    except KafkaError as error:
        raise StackError(f"The Kafka broker at {servers} refused: {error}") from error
    finally:
        client.close()


def _patiently() -> Retrying:
    # A broker that has just started first makes the topic of committed offsets: "coordinator not available".
    return Retrying(
        retry=retry_if_exception_type(RetriableError),
        wait=wait_exponential(0.1, max=2),
        stop=stop_after_delay(20),
        reraise=True,
    )


def create_listens_topic(config: Config, topic: str) -> None:
    """Make the topic of listens where it does not exist; keep it as it is where it does.

    Listens are kept for ever: every training starts from the first.
    """
    layout = {
        topic: {
            "num_partitions": LISTENS_PARTITIONS,
            "replication_factor": -1,
            "configs": {"retention.ms": "-1", "cleanup.policy": "delete"},
        }
    }
    with _admin(config) as admin:
        try:
            admin.create_topics(layout, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            return


def _partitions(admin: KafkaAdminClient, topic: str) -> list[TopicPartition]:
    [description] = admin.describe_topics([topic])
    return [TopicPartition(topic, partition["partition_index"]) for partition in description["partitions"]]


def _offsets(admin: KafkaAdminClient, partitions: list[TopicPartition], spec: OffsetSpec | int) -> dict[int, int]:
    if not partitions:
        return {}
    listed = _patiently()(admin.list_partition_offsets, dict.fromkeys(partitions, spec))
    return {where.partition: found.offset for where, found in sorted(listed.items())}


def whole_topic(config: Config, topic: str) -> OffsetWindow:
    """Span all that a topic holds now; no partitions if there is no such topic."""
    with _admin(config) as admin:
        first, end = _bounds(admin, topic)
    return _from(topic, {}, first, end)


def backlog(config: Config, topic: str, group: str) -> OffsetWindow:
    """Find what a consumer group has not committed yet.

    Parameters
    ----------
    config
        Keyword arguments of kafka-python's clients.
    topic
        Name of the topic; where it does not exist, the backlog is empty.
    group
        Name of the consumer group; where it has committed nothing, or something that the topic no longer holds
        (retention, or a topic made anew), the backlog starts at the topic's first offset.

    Returns
    -------
    OffsetWindow
        `lost` counts the offsets between what was committed and the topic's first: retention was faster.

    Raises
    ------
    StackError
        If no broker answers, or it refuses.
    """
    with _admin(config) as admin:
        first, end = _bounds(admin, topic)
        committed = _committed(admin, topic, group, end)
    return _from(topic, committed, first, end)


def replay(config: Config, topic: str, group: str, start: datetime | Mapping[int, int]) -> OffsetWindow:
    """Span a topic from a position to its end, whatever a consumer group has committed.

    Parameters
    ----------
    config, topic, group
        As of :func:`backlog`.
    start
        When the first message came, by the time that Kafka keeps with it; or its offset by partition. A partition
        that is not named starts as in the backlog.

    Returns
    -------
    OffsetWindow
        `lost` counts the offsets that were named and that retention has deleted; of a time nobody can tell.

    Raises
    ------
    ValueError
        If there is no such topic or partition, or it does not reach that far.
    StackError
        If no broker answers, or it refuses.
    """
    with _admin(config) as admin:
        first, end = _bounds(admin, topic)
        if not end:
            raise ValueError(f"there is no topic {topic!r}")
        if isinstance(start, datetime):
            partitions = [TopicPartition(topic, partition) for partition in end]
            # Below 0, Kafka understands something else than a time.
            since = _offsets(admin, partitions, max(int(start.timestamp() * 1000), 0))
            # -1 stands for: nothing has come since then.
            return _from(topic, {p: min(since[p], end[p]) if since[p] >= 0 else end[p] for p in end}, first, end)
        committed = _committed(admin, topic, group, end)
    for partition, offset in start.items():
        if partition not in end:
            raise ValueError(f"{topic!r} has no partition {partition}, only {', '.join(map(str, end))}")
        if not 0 <= offset <= end[partition]:
            raise ValueError(f"partition {partition} of {topic!r} goes up to {end[partition]}, not to {offset}")
    return _from(topic, {**committed, **start}, first, end)


def _bounds(admin: KafkaAdminClient, topic: str) -> tuple[dict[int, int], dict[int, int]]:
    partitions = _partitions(admin, topic)
    return _offsets(admin, partitions, OffsetSpec.EARLIEST), _offsets(admin, partitions, OffsetSpec.LATEST)


def _committed(admin: KafkaAdminClient, topic: str, group: str, end: Mapping[int, int]) -> dict[int, int]:
    if not end:
        return {}
    partitions = [TopicPartition(topic, partition) for partition in end]
    answer = _patiently()(admin.list_group_offsets, {group: partitions})[group]
    # -1 stands for: nothing committed. Beyond the end lies what was committed of a topic that is no more.
    return {at.partition: told.offset for at, told in answer.items() if 0 <= told.offset <= end[at.partition]}


def _from(topic: str, wanted: Mapping[int, int], first: Mapping[int, int], end: Mapping[int, int]) -> OffsetWindow:
    spans = {p: (max(wanted.get(p, first[p]), first[p]), end[p]) for p in end}
    return OffsetWindow(topic, spans, sum(max(first[p] - offset, 0) for p, offset in wanted.items()))


def commit(config: Config, group: str, window: OffsetWindow) -> None:
    """Commit a window's ends to a group. The only place that does; called after everything else has succeeded.

    A window that is replayed by hand never moves the group back.
    """
    partitions = [TopicPartition(window.topic, partition) for partition in window.spans]
    if not partitions:
        return
    with _admin(config) as admin:
        committed = _committed(admin, window.topic, group, _bounds(admin, window.topic)[1])
        ahead = {
            where: OffsetAndMetadata(window.ends[where.partition], "", -1)
            for where in partitions
            if committed.get(where.partition, -1) < window.ends[where.partition]
        }
        if ahead:
            answers = _patiently()(admin.alter_group_offsets, group, ahead)
            for where, answer in answers.items():
                if answer.errno:
                    raise StackError(
                        f"Group {group!r} could not commit {where.topic}/{where.partition}: {answer()}"
                    )
