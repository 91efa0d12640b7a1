"""Find and commit offsets in Kafka: for a whole topic, for a consumer group's backlog, and for a replay.

All functions use the admin client. No consumer joins the group, so its committed offsets change only in
:func:`commit`.

A topic that was deleted and created again has the same name and other messages. Kafka gives it another id. So
windows have the id of their topic, and committed offsets have it as their metadata. Offsets of an earlier topic
are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import RetriableError
from kafka.structs import OffsetAndMetadata
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from segue.connections import kafka
from segue.connections.positions import topic_id
from segue.connections.windows import OffsetWindow, differ
from segue.errors import ServiceUnavailableError


def _patiently() -> Retrying:
    # A broker that has just started answers "coordinator not available" until its offsets topic exists.
    return Retrying(
        retry=retry_if_exception_type(RetriableError),
        wait=wait_exponential(0.1, max=2),
        stop=stop_after_delay(20),
        reraise=True,
    )


def _whole(admin: KafkaAdminClient, topic: str) -> OffsetWindow:
    [description] = admin.describe_topics([topic])
    partitions = [TopicPartition(topic, partition["partition_index"]) for partition in description["partitions"]]
    first, end = (_offsets(admin, partitions, spec) for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST))
    spans = {partition: (first[partition], offset) for partition, offset in end.items()}
    return OffsetWindow(topic, spans, topic_id=topic_id(description.get("topic_id")))


def _offsets(
    admin: KafkaAdminClient, partitions: list[TopicPartition], spec: OffsetSpec | int
) -> Mapping[int, int]:
    if not partitions:
        return {}
    listed = _patiently()(admin.list_partition_offsets, dict.fromkeys(partitions, spec))
    return {where.partition: found.offset for where, found in sorted(listed.items())}


def _offsets_since(admin: KafkaAdminClient, partitions: list[TopicPartition], at: datetime) -> Mapping[int, int]:
    """Find the first message since a time in each partition. A partition without one has the offset -1."""
    # Kafka reads negative timestamps as special values (-1 latest, -2 earliest).
    return _offsets(admin, partitions, max(int(at.timestamp() * 1000), 0))


def whole_topic(config: kafka.Config, topic: str) -> OffsetWindow:
    """Return the window of all messages that a topic holds now. It has no partitions if there is no such topic."""
    with kafka.admin(config) as admin:
        return _whole(admin, topic)


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
        offset, or an offset that the topic no longer holds: retention may have deleted it, or the topic may be a
        new one of the same name.

    Returns
    -------
    OffsetWindow
        `lost` is the number of offsets that retention has deleted between the committed offset and the topic's
        first offset.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or a broker refuses the request.
    """
    with kafka.admin(config) as admin:
        whole = _whole(admin, topic)
        return _from(whole, _committed(admin, whole, group))


def lags(config: kafka.Config, groups: Mapping[str, str]) -> dict[str, int]:
    """Count the messages that consumer groups have not committed yet.

    Parameters
    ----------
    config : Config
    groups : mapping of str to str
        The topic of each group.

    Returns
    -------
    dict of str to int
        By group. A group that has committed nothing lags by the whole topic.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or a broker refuses the request.
    """
    with kafka.admin(config) as admin:
        topics = {topic: _whole(admin, topic) for topic in set(groups.values())}
        return {
            group: _from(topics[topic], _committed(admin, topics[topic], group)).size
            for group, topic in groups.items()
        }


def arrived_since(config: kafka.Config, topic: str, times: Sequence[datetime]) -> list[int]:
    """Count the messages that a topic has received since some times, without reading any of them.

    Parameters
    ----------
    config : Config
    topic : str
    times : sequence of datetime

    Returns
    -------
    list of int
        One number for each time. It is a bit too large if a transaction has left gaps in the offsets.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or a broker refuses the request.
    """
    with kafka.admin(config) as admin:
        whole = _whole(admin, topic)
        partitions = [TopicPartition(topic, partition) for partition in whole.ends]
        since = (_offsets_since(admin, partitions, at) for at in times)
        return [sum(end - first[p] for p, end in whole.ends.items() if first[p] >= 0) for first in since]


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
        `lost` is the number of requested offsets that retention has deleted. If `start` is a time, `lost` is 0,
        because that number is not known.

    Raises
    ------
    ValueError
        If there is no such topic or partition, or the offset is beyond its end.
    ServiceUnavailableError
        If no broker answers, or a broker refuses the request.
    """
    with kafka.admin(config) as admin:
        whole = _whole(admin, topic)
        end_offsets = whole.ends
        if not end_offsets:
            raise ValueError(f"there is no topic {topic!r}")
        if isinstance(start, datetime):
            partitions = [TopicPartition(topic, partition) for partition in end_offsets]
            since = _offsets_since(admin, partitions, start)
            wanted = {p: min(since[p], end) if since[p] >= 0 else end for p, end in end_offsets.items()}
            return _from(whole, wanted)
        committed = _committed(admin, whole, group)
    for partition, offset in start.items():
        if partition not in end_offsets:
            raise ValueError(f"{topic!r} has no partition {partition}, only {', '.join(map(str, end_offsets))}")
        if not 0 <= offset <= end_offsets[partition]:
            raise ValueError(
                f"partition {partition} of {topic!r} goes up to {end_offsets[partition]}, not to {offset}"
            )
    return _from(whole, {**committed, **start})


def _committed(admin: KafkaAdminClient, topic: OffsetWindow, group: str) -> Mapping[int, int]:
    if not topic.spans:
        return {}
    partitions = [TopicPartition(topic.topic, partition) for partition in topic.spans]
    answer = _patiently()(admin.list_group_offsets, {group: partitions})[group]
    # Kafka returns -1 if nothing is committed. Offsets beyond the end belong to a topic that was deleted.
    return {
        at.partition: told.offset
        for at, told in answer.items()
        if 0 <= told.offset <= topic.ends[at.partition] and not differ(told.metadata, topic.topic_id)
    }


def _from(topic: OffsetWindow, wanted: Mapping[int, int]) -> OffsetWindow:
    first = topic.starts
    spans = {p: (max(wanted.get(p, first[p]), first[p]), end) for p, end in topic.ends.items()}
    lost = sum(max(first[p] - offset, 0) for p, offset in wanted.items())
    return OffsetWindow(topic.topic, spans, lost, topic.topic_id)


def has_members(config: kafka.Config, group: str) -> bool:
    """Return whether a consumer group has a member now.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or it refuses.
    """
    with kafka.admin(config) as admin:
        described = admin.describe_groups([group]).get(group, {})
    return bool(described.get("members"))


def commit(config: kafka.Config, group: str, window: OffsetWindow) -> bool:
    """Commit a window's ends to a group, after the work on the window has succeeded. Nothing else commits.

    If the committed offset of a partition is already beyond the window's end, it does not change. This happens
    after a replay by hand.

    Returns
    -------
    bool
        False if the window belongs to an earlier topic of the same name. Then nothing is committed.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or a broker refuses the request.
    """
    partitions = [TopicPartition(window.topic, partition) for partition in window.spans]
    if not partitions:
        return True
    with kafka.admin(config) as admin:
        whole = _whole(admin, window.topic)
        if not window.is_of(whole):
            return False
        committed = _committed(admin, whole, group)
        ahead = {
            where: OffsetAndMetadata(window.ends[where.partition], whole.topic_id or "", -1)
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
    return True
