"""What the listens job does with rows of the lake, without Kafka."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

from segue.listens import ingestion
from segue.listens.decoding import decode
from segue.listens.events import Listen
from segue.listens.lake_table import DAY, ListensTable
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.listens.plays import Play, event_of
from segue.listens.rematching import rematch

NOON = int(datetime(2026, 3, 5, 12, tzinfo=UTC).timestamp())


def heard(user: str, track: str) -> Listen:
    return event_of(user, Play(NOON, "Björk", track, None, {"media_player": "x"}), TrackIndex([]))


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> ListensTable:
    """A table with the listens of ann and bob."""
    found = ListensTable(spark, str(tmp_path))
    found.insert_new(events(spark, heard("ann", "Jóga"), heard("bob", "Hunter")), {date(2026, 3, 5)}, "t", {0: 2})
    return found


def events(spark: SparkSession, *listens: Listen):
    values = [(0, i, listen.model_dump_json().encode(), b"key") for i, listen in enumerate(listens)]
    messages = spark.createDataFrame(values, "partition int, offset long, value binary, key binary")
    decoded = decode(messages.withColumn("timestamp", sf.current_timestamp()))
    return ingestion.events_of(decoded, spark.createDataFrame([], "key string, removed_at double"))


def test_rematched_events_are_handed_on_with_their_track_before_the_table_has_it(table: ListensTable) -> None:
    index, taken = TrackIndex([CatalogueEntry("t1", "Bjork", "Joga")]), []

    def crash(_: object) -> None:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        rematch(table, index, crash)
    assert rematch(table, index, taken.extend).rematched == 1
    sent = heard("ann", "Jóga")
    assert [(e.event_id, e.track_id, e.matched_by, e.additional_info) for e in taken] == [
        (sent.event_id, "t1", "name", {"media_player": "x"})
    ]
    assert rematch(table, index, taken.extend).rematched == 0
    assert len(taken) == 1


def test_a_rebuild_keeps_what_kafka_holds_no_more(spark: SparkSession, table: ListensTable) -> None:
    held = ingestion._with_rest(table, events(spark, heard("bob", "Hunter"), heard("cyd", "Jóga")), None, None)
    days = {row[DAY] for row in held.select(DAY).distinct().collect()}
    table.replace(held, days, "t", {0: 3})
    assert sorted(row.user_name for row in table.read().collect()) == ["ann", "bob", "cyd"]
