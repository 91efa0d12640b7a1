"""The listens: how many come, how many are matched, and how far each consumer of the topic is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError
from pydantic_core import from_json
from pymongo.database import Database

from segue.connections import kafka, offsets
from segue.errors import ServiceUnavailableError
from segue.listens import losses
from segue.listens.events import SIMULATED
from segue.listens.follower import GROUP as STORE_GROUP
from segue.listens.losses import Loss
from segue.listens.reports import Held, ListensReport
from segue.runs import summaries
from segue.settings import Settings

HOURS = 24
SAMPLE = 1_000
"""Number of the newest messages that are read. Their shares stand for the present. Reading all takes minutes."""

AT_ONCE = 4
"""Number of clients that ask when listens arrived."""

TIMEOUT_MS = 3_000


@dataclass(frozen=True)
class Sample:
    """Shares of the newest listens.

    Attributes
    ----------
    listens, matched, simulated : int
    unmatched : mapping of str to int
        Listens by artist, of those that match no track; the most frequent first.
    newest : datetime or None
        When the newest of them was received.
    """

    listens: int
    matched: int
    simulated: int
    unmatched: Mapping[str, int]
    newest: datetime | None


@dataclass(frozen=True)
class Listens:
    """The state of the listens.

    Attributes
    ----------
    messages : int
        Messages in the topic.
    by_hour : mapping of datetime to int
        Messages that arrived in each of the last hours, by its start.
    lags : mapping of str to int
        Messages that a consumer has not committed yet, by its purpose.
    dead_letters : int
    sample : Sample
    held : Held or None
        What the lake holds, after the last run of the DAG `listens`.
    losses : sequence of Loss
        What a store lacks, with the command that repairs it.
    """

    messages: int
    by_hour: Mapping[datetime, int]
    lags: Mapping[str, int]
    dead_letters: int
    sample: Sample
    held: Held | None
    losses: Sequence[Loss] = ()


def read(settings: Settings, database: Database[Any], now: datetime) -> Listens:
    """Read the state of the listens from Kafka, and the last report of the DAG `listens` from MongoDB.

    Raises
    ------
    ServiceUnavailableError
        If Kafka does not answer.
    ReportError
        If the report cannot be read.
    """
    config = kafka.config(settings) | {"bootstrap_timeout_ms": TIMEOUT_MS}
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    starts = [hour - timedelta(hours=back) for back in reversed(range(HOURS))]
    groups = {
        "store of listens": (STORE_GROUP, settings.listens_topic),
        "live recommendations": (settings.live_group, settings.listens_topic),
        "incremental retraining": (settings.retraining_group, settings.listens_topic),
        "new tracks": (settings.new_tracks_group, settings.tracks_topic),
    }
    # Kafka answers each request after some 40 ms, however small it is. One after another, they would take seconds.
    with ThreadPoolExecutor(AT_ONCE + 4) as pool:
        parts = [starts[place::AT_ONCE] for place in range(AT_ONCE)]
        arrived = [pool.submit(offsets.arrived_since, config, settings.listens_topic, part) for part in parts]
        lags = pool.submit(offsets.lags, config, dict(groups.values()))
        listened = pool.submit(offsets.whole_topic, config, settings.listens_topic)
        dead = pool.submit(offsets.whole_topic, config, settings.dead_letters_topic)
        sample = pool.submit(_newest, config, settings.listens_topic)
        report = summaries.newest("listens", ListensReport, source=database)
        since: dict[datetime, int] = {}
        for part, found in zip(parts, arrived, strict=True):
            since |= dict(zip(part, found.result(), strict=True))
        return Listens(
            messages=listened.result().size,
            by_hour={start: since[start] - since.get(start + timedelta(hours=1), 0) for start in starts},
            lags={purpose: lags.result()[group] for purpose, (group, _) in groups.items()},
            dead_letters=dead.result().size,
            sample=summary(sample.result()),
            held=report.report.held if report else None,
            losses=losses.find(database, settings),
        )


def summary(events: Sequence[Mapping[str, Any]]) -> Sample:
    """Count shares of some events.

    Parameters
    ----------
    events : sequence of mapping
        Fields of `segue.listens.events.Listen`.
    """
    unmatched = Counter(event.get("artist_name") or "(no name)" for event in events if not event.get("track_id"))
    received = [event["received_at"] for event in events if event.get("received_at") is not None]
    return Sample(
        listens=len(events),
        matched=sum(bool(event.get("track_id")) for event in events),
        simulated=sum(event.get("source") == SIMULATED for event in events),
        unmatched=dict(unmatched.most_common(10)),
        newest=datetime.fromtimestamp(max(received), UTC) if received else None,
    )


def _newest(config: kafka.Config, topic: str) -> list[dict[str, Any]]:
    """Read about `SAMPLE` of the newest messages, the same number from each partition.

    Unreadable messages are left out here, and counted as dead letters.
    """
    try:
        consumer = kafka.consumer(config)
        try:
            partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(partitions)
            first, ends = (
                (consumer.beginning_offsets(partitions), consumer.end_offsets(partitions))
                if partitions
                else ({}, {})
            )
            for where, end in ends.items():
                consumer.seek(where, max(end - SAMPLE // len(partitions), first[where]))
            events = []
            while any(consumer.position(where) < end for where, end in ends.items()):
                polled = consumer.poll(timeout_ms=TIMEOUT_MS)
                if not polled:
                    break
                events += [event for found in polled.values() for each in found if (event := _event(each.value))]
            return events
        finally:
            consumer.close()
    except KafkaError as error:
        raise ServiceUnavailableError(f"Kafka does not answer: {error}.") from error


def _event(value: bytes | None) -> dict[str, Any] | None:
    try:
        event = from_json(value or b"")
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
