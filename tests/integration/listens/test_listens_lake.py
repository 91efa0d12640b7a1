"""Kafka to the lake, on real Kafka, real Spark and Delta: each event once, in its day, whatever happens."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from pymongo.database import Database
from tests.support.topics import make_anew

from segue.connections import kafka as kafka_clients
from segue.connections import offsets
from segue.connections.kafka import Config
from segue.connections.kafka import config as kafka_config
from segue.connections.topics import create_topics
from segue.connections.windows import OffsetWindow
from segue.errors import TrainingError
from segue.listens import dead_letters, ingestion, training_data
from segue.listens.events import Listen, listen
from segue.listens.ingestion import figures, ingest
from segue.listens.lake_table import DAY, SCHEMA, ListensTable
from segue.listens.matching import CatalogueEntry, Method, TrackIndex
from segue.listens.plays import Play, event_of
from segue.listens.rematching import rematch
from segue.listens.removals import Removals, listen_key, user_key
from segue.listens.reports import Ingested, MissedArtist
from segue.settings import Settings

pytestmark = pytest.mark.integration

NOON = int(datetime(2026, 3, 5, 12, tzinfo=UTC).timestamp())
DAY_S = 86_400
NOTHING = TrackIndex([])


class Bench:
    """One lake and its topics, and what a test does with them."""

    def __init__(self, spark: Any, settings: Settings, database: Database[dict[str, Any]]) -> None:
        self.settings, self.spark, self.removals = settings, spark, Removals(database)
        self.table = ListensTable(spark, settings.lake_uri)
        self._producer = KafkaProducer(**kafka_config(settings))

    def send(self, *events: Listen | bytes) -> None:
        for event in events:
            value = event.model_dump_json(exclude_none=True).encode() if isinstance(event, Listen) else event
            key = event.user_name.encode() if isinstance(event, Listen) else b"somebody"
            self._producer.send(self.settings.listens_topic, key=key, value=value).get(timeout=20)

    def ingest(self, rebuild: tuple[date | None, date | None] | None = None) -> Ingested:
        removed = self.removed()
        ingested = ingest(self.spark, self.settings, removed, rebuild=rebuild)
        self.taken_back = self.table.remove(removed)
        return ingested

    def removed(self) -> Any:
        return self.spark.createDataFrame(list(self.removals.all().items()), "key string, removed_at double")

    def rows(self) -> Counter[tuple[str, str, str | None]]:
        rows = self.table.read().select(DAY, "user_name", "track_name").collect()
        return Counter((str(row[DAY]), row.user_name, row.track_name) for row in rows)


@pytest.fixture
def bench(spark: Any, settings: Settings, kafka: Config, mongo: Database[dict[str, Any]], tmp_path: Path) -> Bench:
    assert kafka
    name = f"lake-{time.monotonic_ns()}"
    names = {"listens_topic": name, "dead_letters_topic": f"{name}.dlq", "feedback_topic": f"{name}.feedback"}
    own = settings.model_copy(update={"lake": str(tmp_path / "lake"), **names})
    create_topics(own)
    return Bench(spark, own, mongo.client[f"segue-{name}"])


def heard(user: str, at: int, track: str = "Jóga", **info: Any) -> Listen:
    return event_of(user, Play(at, "Björk", track, None, info), NOTHING)


def test_each_event_is_once_in_its_day_whenever_it_comes(bench: Bench) -> None:
    poison = [b"no json", b'{"schema_version": 9}']
    bench.send(heard("a", NOON), heard("a", NOON), *poison, listen("old", "t1", NOON), heard("a", NOON + DAY_S))
    first = bench.ingest()
    expected = Counter(
        {("2026-03-05", "a", "Jóga"): 1, ("2026-03-06", "a", "Jóga"): 1, ("2026-03-05", "old", None): 1}
    )
    assert bench.rows() == expected
    assert (first.messages, first.events, first.unreadable, first.days) == (6, 3, 2, 2)
    letters = dead_letters.read(kafka_clients.config(bench.settings), bench.settings.dead_letters_topic)
    assert {(dead.value, dead.key, dead.topic) for dead in letters} == {
        (value, b"somebody", bench.settings.listens_topic) for value in poison
    }

    noted = bench.table.delta().history().where("userMetadata is not null").orderBy("version").collect()
    # Offsets come with the rows, not with the empty table.
    assert [row.operation for row in noted] == ["MERGE", "SET TBLPROPERTIES"]

    assert bench.ingest().messages == 0
    back_dated, late = heard("b", NOON - 400 * DAY_S), heard("b", NOON)
    # The first and the last second of days that are shorter or longer somewhere, of a leap day, and after 32 bits.
    edges = ["2026-03-29", "2026-10-25", "2024-02-29", "2038-01-20"]
    starts = [int(datetime.fromisoformat(f"{day}T00:00:00Z").timestamp()) for day in edges]
    bench.send(back_dated, heard("a", NOON), late)
    bench.send(*(heard("c", start + second) for start in starts for second in (0, DAY_S - 1)))
    assert bench.ingest().messages == 3 + 2 * len(edges)
    expected += Counter({("2025-01-29", "b", "Jóga"): 1, ("2026-03-05", "b", "Jóga"): 1})
    expected += Counter({(day, "c", "Jóga"): 2 for day in edges})
    assert bench.rows() == expected

    assert bench.ingest(rebuild=(date(2026, 3, 5), date(2026, 3, 5))).events == 3
    assert bench.rows() == expected
    assert ingestion.pending(bench.table, bench.settings).size == 0
    told = figures(bench.table, date(2026, 3, 5), date(2026, 3, 5))
    assert (told.listens, told.matched, told.listeners) == (3, 1, 3)


def test_what_users_take_back_is_gone_and_may_come_again(bench: Bench) -> None:
    deleted, kept, forgotten = heard("a", NOON), heard("a", NOON + 300), heard("b", NOON)
    bench.send(deleted, kept, forgotten)
    bench.ingest()
    before = set(Path(bench.table.location).rglob("*.parquet"))
    bench.removals.add(listen_key("a", NOON, deleted.recording_msid))
    bench.removals.add(user_key("b"))
    bench.send(deleted, forgotten)  # sent again by Kafka's keeping, not by the user: still taken back
    bench.ingest()
    assert bench.taken_back == 2
    assert bench.rows() == Counter({("2026-03-05", "a", "Jóga"): 1})
    assert bench.ingest(rebuild=(None, None)).events == 1
    bench.send(heard("a", NOON))  # the user listens, or submits, again
    bench.ingest()
    assert bench.rows() == Counter({("2026-03-05", "a", "Jóga"): 2})
    assert len(bench.removals.standing([deleted, kept, forgotten, heard("b", NOON)])) == 2
    assert before <= set(Path(bench.table.location).rglob("*.parquet"))
    at_once = "SET TBLPROPERTIES (delta.deletedFileRetentionDuration = 'interval 0 hours')"
    bench.spark.sql(f"ALTER TABLE delta.`{bench.table.location}` {at_once}")
    bench.table.vacuum()
    assert not before & set(Path(bench.table.location).rglob("*.parquet")), "gone for good"
    assert bench.rows() == Counter({("2026-03-05", "a", "Jóga"): 2})


def test_unmatched_listens_find_their_track_when_the_corpus_grows(bench: Bench) -> None:
    bench.send(
        heard("a", NOON), heard("b", NOON), heard("a", NOON + 300, "Hunter"), heard("a", NOON + 600, "Hunter")
    )
    bench.ingest()
    before = rematch(bench.table, NOTHING)
    assert (before.rematched, before.unmatched) == (0, 4)
    assert before.unmatched_artists == (MissedArtist(artist="Björk", listens=4),)
    taken: list[Listen] = []
    after = rematch(bench.table, TrackIndex([CatalogueEntry("t1", "Bjork", "Joga")]), taken.extend)
    assert {(event.user_name, event.event_id, event.track_id) for event in taken} == {
        (user, heard(user, NOON).event_id, "t1") for user in "ab"
    }
    assert (after.rematched, after.unmatched) == (2, 2)
    matched = (
        bench.table.read().where("track_id is not null").select("track_id", "matched_by").distinct().collect()
    )
    assert [(row.track_id, row.matched_by) for row in matched] == [("t1", Method.NAME.value)]
    assert bench.ingest().messages == 0  # the offsets survive commits that are not the ingestion's


def test_a_lake_of_the_version_before_gets_the_columns_of_version_3(bench: Bench) -> None:
    new = ("dropped", "claimed_at", "played_s", "skipped")
    columns = [column for column in SCHEMA.split(", ") if column.split()[0] not in new]
    row = heard("anna", NOON).model_dump() | {"additional_info": None, DAY: date(2026, 3, 5)}
    old = bench.spark.createDataFrame([[row[column.split()[0]] for column in columns]], ", ".join(columns))
    held = window_of(bench)
    noted = json.dumps({bench.settings.listens_topic: json.loads(held.ends.to_json())})
    old.write.format("delta").option("userMetadata", noted).partitionBy(DAY).save(bench.table.location)
    read = training_data.read_until(bench.spark, bench.settings, held, held)
    assert told(read.where("skipped is null")) == {("anna", None, False)}
    odd = Play(NOON, "Björk", "Hunter", dropped={"duration": "0"}, claimed_at=NOON + 7_200)
    bench.send(event_of("anna", odd, NOTHING))
    bench.ingest()
    bench.ingest(rebuild=(date(2026, 3, 5), date(2026, 3, 5)))
    rows = bench.table.read().select("track_name", "dropped", "claimed_at").collect()
    assert sorted(tuple(row) for row in rows) == [
        ("Hunter", '{"duration":"0"}', NOON + 7_200),
        ("Jóga", None, None),
    ]
    events: list[Listen] = []
    corpus = TrackIndex([CatalogueEntry("h", "Björk", "Hunter")])
    rematch(bench.table, corpus, events.extend)
    assert [(event.track_id, event.dropped, event.claimed_at) for event in events] == [
        ("h", {"duration": "0"}, NOON + 7_200)
    ]


def window_of(bench: Bench) -> OffsetWindow:
    """Span the topic, as a training does."""
    return offsets.whole_topic(kafka_config(bench.settings), bench.settings.listens_topic)


def told(messages: Any) -> set[tuple[str, str | None, bool]]:
    """Listener, track and whether the offset is known."""
    return {(row.user_name, row.track_id, row.offset >= 0) for row in messages.where("error is null").collect()}


def test_trainings_read_the_lake_and_from_kafka_what_came_since(bench: Bench) -> None:
    bench.send(heard("a", NOON), heard("b", NOON, "Hunter"))
    early = window_of(bench)
    assert told(training_data.read_until(bench.spark, bench.settings, early, window_of(bench))) == {
        ("a", None, True),
        ("b", None, True),
    }
    bench.ingest()
    rematch(bench.table, TrackIndex([CatalogueEntry("t1", "Björk", "Jóga")]))
    bench.send(heard("c", NOON), heard("a", NOON), b"no json")
    late = window_of(bench)

    read = training_data.read_until(bench.spark, bench.settings, late, window_of(bench))
    assert told(read) == {("a", "t1", True), ("b", None, False), ("c", None, True)}, "a came again"
    assert read.where("error is not null").count() == 1
    everything = training_data.read_until(bench.spark, bench.settings, late, window_of(bench), since=late.starts)
    assert told(everything) == {("a", "t1", True), ("b", None, True), ("c", None, True)}

    bench.ingest()
    assert told(training_data.read_until(bench.spark, bench.settings, early, window_of(bench))) == {
        ("a", "t1", False),
        ("b", None, False),
    }, "a retry reads what it read, though the lake has gone on"
    before_all = OffsetWindow(early.topic, dict.fromkeys(early.spans, (0, 0)))
    assert told(training_data.read_until(bench.spark, bench.settings, before_all, window_of(bench))) == set()


def test_the_training_set_as_of_a_day_is_what_the_lake_has_until_then(bench: Bench) -> None:
    bench.send(heard("a", NOON), heard("b", NOON + DAY_S), heard("c", NOON + 2 * DAY_S))
    with pytest.raises(TrainingError, match="DAG `listens`"):
        training_data.read_days(bench.spark, bench.settings, date(2026, 3, 6))
    bench.ingest()
    assert {user for user, *_ in told(training_data.read_days(bench.spark, bench.settings, date(2026, 3, 6)))} == {
        "a",
        "b",
    }
    with pytest.raises(TrainingError, match="no listens up to 2026-03-04"):
        training_data.read_days(bench.spark, bench.settings, date(2026, 3, 4))


def test_of_a_topic_that_was_made_anew_trainings_read_all_and_of_the_lake_what_the_old_one_had(
    bench: Bench,
) -> None:
    topic = bench.settings.listens_topic
    bench.send(*(heard("a", NOON + 300 * i) for i in range(2)))
    bench.ingest()
    bench.send(*(heard("a", NOON + 300 * i) for i in range(2, 6)))
    bench.ingest()
    with KafkaAdminClient(**kafka_config(bench.settings)) as admin:
        admin.delete_topics([topic])
    create_topics(bench.settings)
    bench.send(*(heard("a", NOON + DAY_S + 300 * i) for i in range(3)))
    window = window_of(bench)
    read = training_data.read_until(bench.spark, bench.settings, window, window_of(bench), since=window.starts)
    assert sorted(row.offset for row in read.collect()) == [-1] * 6 + [0, 1, 2]
    bench.ingest()
    assert training_data.read_until(bench.spark, bench.settings, window, window_of(bench)).count() == 9
    bench.send(heard("a", NOON + 2 * DAY_S))
    bench.ingest()
    assert training_data.read_until(bench.spark, bench.settings, window, window_of(bench)).count() == 9, (
        "a retry reads the same"
    )


def test_a_topic_that_was_made_anew_is_read_whole_though_it_is_longer_than_the_one_before(bench: Bench) -> None:
    topic = bench.settings.listens_topic
    bench.send(*(heard("a", NOON + 300 * i) for i in range(3)))
    assert bench.ingest().messages == 3
    make_anew(kafka_clients.config(bench.settings), topic)
    bench.send(*(heard("a", NOON + DAY_S + 300 * i) for i in range(7)))
    window = window_of(bench)
    read = training_data.read_until(bench.spark, bench.settings, window, window_of(bench), since=window.starts)
    assert sorted(row.offset for row in read.collect()) == [-1] * 3 + [*range(7)]
    assert bench.ingest().messages == 7
    assert bench.rows().total() == 10
    assert bench.ingest().messages == 0


def test_messages_that_bring_nothing_new_are_read_once(bench: Bench) -> None:
    bench.send(heard("a", NOON))
    bench.ingest()
    bench.send(heard("a", NOON), b"no json")
    assert bench.ingest().messages == 2, "a repeat and garbage"
    assert bench.ingest().messages == 0
    bench.send(b"no json either")
    assert bench.ingest().unreadable == 1
    assert bench.ingest().messages == 0


def test_a_retry_reads_the_same_though_days_have_been_rebuilt_in_between(bench: Bench) -> None:
    bench.send(heard("a", NOON))
    bench.ingest()
    window = window_of(bench)
    bench.send(heard("b", NOON), heard("b", NOON + DAY_S))
    bench.ingest(rebuild=(date(2026, 3, 5), date(2026, 3, 5)))
    assert told(training_data.read_until(bench.spark, bench.settings, window, window_of(bench))) == {
        ("a", None, False)
    }
    assert (
        len(told(training_data.read_until(bench.spark, bench.settings, window_of(bench), window_of(bench)))) == 2
    )
    assert bench.ingest().messages == 2, "the other days' are still to come"
