"""What the listens job does with rows of the lake, without Kafka."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

from segue.connections.windows import Offsets
from segue.listens import ingestion
from segue.listens.decoding import decode
from segue.listens.events import Listen
from segue.listens.lake_table import DAY, ListensTable
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.listens.plays import Play, event_of
from segue.listens.rematching import rematch

DAY_OF_NOON = date(2026, 3, 5)
OLD, NEW = Offsets({0: 2}), Offsets({0: 3})
NOON = int(datetime(2026, 3, 5, 12, tzinfo=UTC).timestamp())


def heard(user: str, track: str) -> Listen:
    return event_of(user, Play(NOON, "Björk", track, None, {"media_player": "x"}), TrackIndex([]))


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> ListensTable:
    """A table with the listens of ann and bob."""
    found = ListensTable(spark, str(tmp_path))
    found.insert_new(events(spark, heard("ann", "Jóga"), heard("bob", "Hunter")), {DAY_OF_NOON}, "t", OLD)
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


def test_listens_that_names_have_matched_go_to_the_track_that_gets_their_mbid(
    spark: SparkSession, tmp_path: Path
) -> None:
    studio, live, other = (f"{digit}f2a9b5e-0000-4000-8000-000000000000" for digit in "123")
    by_name = TrackIndex([CatalogueEntry("t1", "Björk", "Jóga")])
    plays = {"ann": {"recording_mbid": live}, "bob": {"recording_mbid": studio}, "cyd": {"recording_mbid": other}}
    listens = [event_of(user, Play(NOON, "Björk", "Jóga", None, info), by_name) for user, info in plays.items()]
    table = ListensTable(spark, str(tmp_path))
    listens += [event_of("dan", Play(NOON, "Björk", "Jóga"), by_name)]
    table.insert_new(events(spark, *listens), {DAY_OF_NOON}, "t", OLD)
    taken: list[Listen] = []
    assert rematch(table, by_name, taken.extend).rematched == 0

    named = [CatalogueEntry("t1", "Björk", "Jóga", studio), CatalogueEntry("t2", "Björk", "Jóga", live.upper())]
    found = rematch(table, TrackIndex(named), taken.extend)
    assert (found.rematched, found.unmatched) == (2, 0)
    assert {(event.user_name, event.track_id, event.matched_by) for event in taken} == {
        ("ann", "t2", "mbid"),
        ("bob", "t1", "mbid"),
    }
    rows = table.read().select("user_name", "track_id", "matched_by").collect()
    assert sorted(map(tuple, rows)) == [
        ("ann", "t2", "mbid"),
        ("bob", "t1", "mbid"),
        ("cyd", "t1", "name"),
        ("dan", "t1", "name"),
    ]
    assert rematch(table, TrackIndex(named), taken.extend).rematched == 0


def test_a_rebuild_keeps_what_kafka_holds_no_more(spark: SparkSession, table: ListensTable) -> None:
    held = ingestion._with_rest(table, events(spark, heard("bob", "Hunter"), heard("cyd", "Jóga")), None, None)
    days = {row[DAY] for row in held.select(DAY).distinct().collect()}
    table.replace(held, days, "t", NEW)
    assert sorted(row.user_name for row in table.read().collect()) == ["ann", "bob", "cyd"]


def test_messages_that_bring_no_row_are_noted_too(spark: SparkSession, table: ListensTable) -> None:
    table.insert_new(events(spark, heard("bob", "Hunter")), {DAY_OF_NOON}, "t", Offsets({0: 3}, "one"))
    assert table.offsets("t") == {0: 3}, "a repeat"
    table.insert_new(events(spark), set(), "t", Offsets({0: 4}, "one"))
    assert (table.offsets("t"), table.offsets("t").topic_id) == ({0: 4}, "one"), "no event at all"
    assert table.read().count() == 2
    assert held_until(table, {0: 4}) == (2, {0: 4})


def test_the_offsets_outlive_the_commits_that_noted_them(spark: SparkSession, table: ListensTable) -> None:
    delete_commits(spark, table)
    assert all(row.userMetadata is None for row in table.delta().history().collect()), "the notes are gone"
    assert table.offsets("t") == OLD
    assert held_until(table, {0: 9}) == (2, OLD)
    assert held_until(table, {0: 1}) is None
    table.insert_new(events(spark, heard("cyd", "Jóga")), {DAY_OF_NOON}, "t", NEW)
    assert held_until(table, {0: 9}) == (3, NEW)


def test_the_notes_of_the_version_before_are_read(spark: SparkSession, table: ListensTable) -> None:
    spark.sql(f"ALTER TABLE delta.`{table.location}` UNSET TBLPROPERTIES ('segue.offsets.t')")
    assert table.offsets("t") == OLD
    assert held_until(table, {0: 9}) == (2, OLD)
    assert table.offsets("another topic") == {}


def test_offsets_of_an_earlier_topic_are_told_apart_though_the_present_one_is_longer(
    spark: SparkSession, table: ListensTable
) -> None:
    table.insert_new(events(spark, heard("cyd", "Jóga")), {DAY_OF_NOON}, "t", Offsets({0: 3}, "one"))
    now = Offsets({0: 50}, "two")
    found = table.until("t", Offsets({0: 40}, "two"), now)
    assert found is not None
    assert (found[0].count(), found[1]) == (3, {}), "nothing of the present topic"
    table.insert_new(events(spark, heard("dan", "Jóga")), {DAY_OF_NOON}, "t", now)
    found = table.until("t", now, now)
    assert found is not None
    assert (found[0].count(), found[1]) == (4, now)


def held_until(table: ListensTable, ends: dict[int, int]) -> tuple[int, Offsets] | None:
    """How many rows the newest version up to some offsets has, and the offsets it follows."""
    found = table.until("t", Offsets(ends), Offsets({0: 100}))
    return found and (found[0].count(), found[1])


def delete_commits(spark: SparkSession, table: ListensTable) -> None:
    """Let Delta delete the commits up to now, as it does after 30 days."""

    def commit(properties: str) -> None:
        spark.sql(f"ALTER TABLE delta.`{table.location}` SET TBLPROPERTIES ({properties})")

    # It does so after a checkpoint, and keeps what came after the last checkpoint of the time before.
    commit("'delta.checkpointInterval' = '1'")
    commit("'n' = '1'")
    then = time.time() - 40 * 24 * 3600
    for path in Path(table.location, "_delta_log").iterdir():
        os.utime(path, (then, then))
    commit("'n' = '2'")
    commit("'n' = '3'")
