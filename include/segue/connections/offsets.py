"""Offsets in Kafka: of a topic, of a consumer group's backlog, of replays and commits.

All of them go through the admin client. No consumer joins the group, so its committed offsets move only in
:func:`commit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import RetriableError
from kafka.structs import OffsetAndMetadata
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from segue.connections import kafka
from segue.connections.windows import OffsetWindow
from segue.errors import ServiceUnavailableError


def _patiently() -> Retrying:
    # A broker that has just started answers "coordinator not available" until its topic of offsets exists.
    return Retrying(
        retry=retry_if_exception_type(RetriableError),
        wait=wait_exponential(0.1, max=2),
        stop=stop_after_delay(20),
        reraise=True,
    )


def _partitions(admin: KafkaAdminClient, topic: str) -> list[TopicPartition]:
    [description] = admin.describe_topics([topic])
    return [TopicPartition(topic, partition["partition_index"]) for partition in description["partitions"]]


def _offsets(admin: KafkaAdminClient, partitions: list[TopicPartition], spec: OffsetSpec | int) -> dict[int, int]:
    if not partitions:
        return {}
    listed = _patiently()(admin.list_partition_offsets, dict.fromkeys(partitions, spec))
    return {where.partition: found.offset for where, found in sorted(listed.items())}


def whole_topic(config: kafka.Config, topic: str) -> OffsetWindow:
    """Return the window of all messages that a topic holds now. It has no partitions if there is no such topic."""
    with kafka.admin(config) as admin:
        first, end = _bounds(admin, topic)
    return _from(topic, {}, first, end)


def backlog(config: kafka.Config, topic: str, group: str) -> OffsetWindow:
    """Find what a consumer group has not committed yet.

    Parameters
    ----------
    config
        Keyword arguments of kafka-python's clients.
    topic
        Name of the topic. If it does not exist, the backlog is empty.
    group
        Name of the consumer group. The backlog starts at the topic's first offset if the group has committed
        nothing, or an offset that the topic no longer holds (retention, or a new topic of the same name).

    Returns
    -------
    OffsetWindow
        `lost` counts the offsets between the committed one and the topic's first, which retention has deleted.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or it refuses.
    """
    with kafka.admin(config) as admin:
        first, end = _bounds(admin, topic)
        committed = _committed(admin, topic, group, end)
    return _from(topic, committed, first, end)


def replay(config: kafka.Config, topic: str, group: str, start: datetime | Mapping[int, int]) -> OffsetWindow:
    """Return the window from a position to the end of a topic, whatever a consumer group has committed.

    Parameters
    ----------
    config, topic, group
        As of :func:`backlog`.
    start
        Kafka's timestamp of the first message, or its offset by partition. A partition that is not named starts
        as in the backlog.

    Returns
    -------
    OffsetWindow
        `lost` counts the named offsets that retention has deleted. For a time it is 0, as they are not known.

    Raises
    ------
    ValueError
        If there is no such topic or partition, or the offset is beyond its end.
    ServiceUnavailableError
        If no broker answers, or it refuses.
    """
    with kafka.admin(config) as admin:
        first, end = _bounds(admin, topic)
        if not end:
            raise ValueError(f"there is no topic {topic!r}")
        if isinstance(start, datetime):
            partitions = [TopicPartition(topic, partition) for partition in end]
            # Kafka reads negative timestamps as special values (-1 latest, -2 earliest).
            since = _offsets(admin, partitions, max(int(start.timestamp() * 1000), 0))
            # Kafka answers -1 where no message has come since then.
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
    # Kafka answers -1 where nothing is committed. Offsets beyond the end belong to a topic that was deleted.
    return {at.partition: told.offset for at, told in answer.items() if 0 <= told.offset <= end[at.partition]}


def _from(topic: str, wanted: Mapping[int, int], first: Mapping[int, int], end: Mapping[int, int]) -> OffsetWindow:
    spans = {p: (max(wanted.get(p, first[p]), first[p]), end[p]) for p in end}
    return OffsetWindow(topic, spans, sum(max(first[p] - offset, 0) for p, offset in wanted.items()))


def commit(config: kafka.Config, group: str, window: OffsetWindow) -> None:
    """Commit a window's ends to a group, after the work on the window has succeeded. Nothing else commits.

    A partition whose committed offset is beyond the window's end, as after a replay by hand, is left as it is.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or it refuses.
    """
    partitions = [TopicPartition(window.topic, partition) for partition in window.spans]
    if not partitions:
        return
    with kafka.admin(config) as admin:
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
                    raise ServiceUnavailableError(
                        f"Group {group!r} could not commit {where.topic}/{where.partition}: {answer()}"
                    )
