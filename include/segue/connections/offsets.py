"""Find and commit offsets in Kafka: those of a whole topic, of a consumer group's backlog, and of a replay.

All functions use the admin client. No consumer joins the group, so its committed offsets change only in
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
from segue.connections.windows import Offsets, OffsetWindow
from segue.errors import ServiceUnavailableError


def _patiently() -> Retrying:
    # A broker that has just started answers "coordinator not available" until its offsets topic exists.
    return Retrying(
        retry=retry_if_exception_type(RetriableError),
        wait=wait_exponential(0.1, max=2),
        stop=stop_after_delay(20),
        reraise=True,
    )


def _partitions(admin: KafkaAdminClient, topic: str) -> list[TopicPartition]:
    [description] = admin.describe_topics([topic])
    return [TopicPartition(topic, partition["partition_index"]) for partition in description["partitions"]]


def _offsets(admin: KafkaAdminClient, partitions: list[TopicPartition], spec: OffsetSpec | int) -> Offsets:
    if not partitions:
        return Offsets({})
    listed = _patiently()(admin.list_partition_offsets, dict.fromkeys(partitions, spec))
    return Offsets({where.partition: found.offset for where, found in sorted(listed.items())})


def whole_topic(config: kafka.Config, topic: str) -> OffsetWindow:
    """Return the window of all messages that a topic holds now. It has no partitions if there is no such topic."""
    with kafka.admin(config) as admin:
        first_offsets, end_offsets = _bounds(admin, topic)
    return _from(topic, {}, first_offsets, end_offsets)


def backlog(config: kafka.Config, topic: str, group: str) -> OffsetWindow:
    """Find what a consumer group has not committed yet.

    Parameters
    ----------
    config
        Keyword arguments of kafka-python's clients.
    topic
        Name of the topic. If it does not exist, the backlog is empty.
    group
        Name of the consumer group. The backlog starts at the topic's first offset if the group has committed no
        offset, or one that the topic no longer holds. Retention may have deleted it, or the topic may be a new one
        with the same name.

    Returns
    -------
    OffsetWindow
        `lost` is the number of offsets that retention has deleted between the committed offset and the topic's
        first offset.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or it refuses.
    """
    with kafka.admin(config) as admin:
        first_offsets, end_offsets = _bounds(admin, topic)
        committed = _committed(admin, topic, group, end_offsets)
    return _from(topic, committed, first_offsets, end_offsets)


def replay(config: kafka.Config, topic: str, group: str, start: datetime | Mapping[int, int]) -> OffsetWindow:
    """Return the window from a position to the end of a topic, whatever a consumer group has committed.

    Parameters
    ----------
    config, topic, group
        As for :func:`backlog`.
    start
        The time (Kafka's timestamp) of the first message, or its offset by partition. A partition without an
        offset starts as in the backlog.

    Returns
    -------
    OffsetWindow
        `lost` is the number of requested offsets that retention has deleted. If `start` is a time, it is 0,
        because they are not known.

    Raises
    ------
    ValueError
        If there is no such topic or partition, or the offset is beyond its end.
    ServiceUnavailableError
        If no broker answers, or it refuses.
    """
    with kafka.admin(config) as admin:
        first_offsets, end_offsets = _bounds(admin, topic)
        if not end_offsets:
            raise ValueError(f"there is no topic {topic!r}")
        if isinstance(start, datetime):
            partitions = [TopicPartition(topic, partition) for partition in end_offsets]
            # Kafka reads negative timestamps as special values (-1 latest, -2 earliest).
            since = _offsets(admin, partitions, max(int(start.timestamp() * 1000), 0))
            # Kafka returns -1 for a partition without messages since then.
            wanted = {p: min(since[p], end) if since[p] >= 0 else end for p, end in end_offsets.items()}
            return _from(topic, wanted, first_offsets, end_offsets)
        committed = _committed(admin, topic, group, end_offsets)
    for partition, offset in start.items():
        if partition not in end_offsets:
            raise ValueError(f"{topic!r} has no partition {partition}, only {', '.join(map(str, end_offsets))}")
        if not 0 <= offset <= end_offsets[partition]:
            raise ValueError(
                f"partition {partition} of {topic!r} goes up to {end_offsets[partition]}, not to {offset}"
            )
    return _from(topic, {**committed, **start}, first_offsets, end_offsets)


def _bounds(admin: KafkaAdminClient, topic: str) -> tuple[Offsets, Offsets]:
    partitions = _partitions(admin, topic)
    return _offsets(admin, partitions, OffsetSpec.EARLIEST), _offsets(admin, partitions, OffsetSpec.LATEST)


def _committed(admin: KafkaAdminClient, topic: str, group: str, end_offsets: Offsets) -> Offsets:
    if not end_offsets:
        return Offsets({})
    partitions = [TopicPartition(topic, partition) for partition in end_offsets]
    answer = _patiently()(admin.list_group_offsets, {group: partitions})[group]
    # Kafka returns -1 if nothing is committed. Offsets beyond the end belong to a topic that was deleted.
    held = {at.partition: told.offset for at, told in answer.items()}
    return Offsets({p: offset for p, offset in held.items() if 0 <= offset <= end_offsets[p]})


def _from(topic: str, wanted: Mapping[int, int], first_offsets: Offsets, end_offsets: Offsets) -> OffsetWindow:
    first = first_offsets
    spans = {p: (max(wanted.get(p, first[p]), first[p]), end) for p, end in end_offsets.items()}
    return OffsetWindow(topic, spans, sum(max(first[p] - offset, 0) for p, offset in wanted.items()))


def commit(config: kafka.Config, group: str, window: OffsetWindow) -> None:
    """Commit a window's ends to a group, after the work on the window has succeeded. Nothing else commits.

    If the committed offset of a partition is already beyond the window's end, as after a replay by hand, it is not
    changed.

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
