"""The state that the overview shows, read from real services."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from tests.support.corpus_reports import cleaning, run

from segue.connections import kafka as kafka_connection
from segue.connections import topics
from segue.corpus import quarantine
from segue.corpus.gate import Check
from segue.overview import corpus, listens, models
from segue.overview.corpus import DayState
from segue.overview.state import Cached, Problem
from segue.runs import summaries

pytestmark = pytest.mark.integration

DAYS = [date(2026, 3, day) for day in (1, 2, 3, 4)]


@pytest.fixture
def database(mongo):
    name = "overview-alone"
    yield mongo.client[name]
    mongo.client.drop_database(name)


@pytest.fixture
def lake(tmp_path):
    """Four days: sound, rejected only, refused by the gate, and not integrated yet; two files each."""
    inventory = [day for day in DAYS for _ in range(2)]
    write_deltalake(f"{tmp_path}/inventory", pa.table({"partition_date": inventory}))
    write_deltalake(f"{tmp_path}/features", pa.table({"partition_date": [DAYS[0], DAYS[0], DAYS[2], DAYS[2]]}))
    rejects = {"path": ["a", "b"], "partition_date": [DAYS[1]] * 2, "reason": ["EMPTY"] * 2, "message": [""] * 2}
    write_deltalake(f"{tmp_path}/rejects", pa.table(rejects | {"size_bytes": [0, 0]}))
    return str(tmp_path)


def test_each_day_has_its_state(lake, database):
    database["announced"].insert_one({"_id": str(DAYS[0]), "tracks": 2})
    summaries.keep("corpus/1", run().inventory, into=database)
    refused = cleaning(asked_from=DAYS[2], asked_to=DAYS[2], first_day=DAYS[2], last_day=DAYS[2])
    quarantine.record(database, "corpus/1", refused, [Check("tracks", 0, 1, 9)])
    found = corpus.read(lake, database)
    assert {day: known.state for day, known in found.days.items()} == {
        DAYS[0]: DayState.PUBLISHED,
        DAYS[1]: DayState.WITHOUT_TRACKS,
        DAYS[2]: DayState.QUARANTINED,
        DAYS[3]: DayState.WAITING,
    }
    assert (found.files, found.rejected, found.size_mb) == (8, {"EMPTY": 2}, 1.0)
    [held] = found.quarantined
    assert (held.run_id, held.failed) == ("corpus/1", ["tracks: 0"])


def test_drift_compares_good_runs_only(database, settings):
    quantiles = {"tempo": tuple(range(11))}
    moved = {"tempo": tuple(range(5, 16))}
    for name, values, passed in (("1", quantiles, True), ("2", moved, False), ("3", moved, True)):
        report = cleaning(tracks=40, quantiles=values)
        summaries.keep(f"corpus/{name}", report, into=database)
        quarantine.record(database, f"corpus/{name}", report, [Check("x", 1 if passed else 2, 1, 1)])
    found = models.read(settings, database)
    assert [(run_id, distance, worst) for run_id, _, distance, worst in found.drift] == [
        ("corpus/3", 0.5, "tempo")
    ]


@pytest.mark.usefixtures("kafka")
def test_listens_are_counted_by_hour_and_lags_by_consumer(database, settings):
    topic = "overview-listens"
    wanted = settings.model_copy(update={"listens_topic": topic, "dead_letters_topic": "overview-dlq"})
    topics.create_topics(wanted)
    now = datetime.now(UTC)
    three_hours_ago = int((now - timedelta(hours=3)).timestamp() * 1000)
    with kafka_connection.producing(kafka_connection.config(wanted)) as producer:
        sent = [
            producer.send(topic, value=b'{"artist_name": "A", "received_at": 5}', timestamp_ms=three_hours_ago),
            producer.send(topic, value=b'{"track_id": "1", "source": "simulated"}'),
            producer.send(topic, value=b"not JSON"),
        ]
        for each in sent:
            each.get(timeout=30)
    found = listens.read(wanted, database, now)
    assert found.messages == 3
    assert sum(found.by_hour.values()) == 3
    assert [number for number in found.by_hour.values() if number] == [1, 2]
    assert found.lags["incremental retraining"] == 3
    assert (found.sample.listens, found.sample.matched, found.sample.simulated) == (2, 1, 1)
    assert found.dead_letters == 0


def test_a_part_that_cannot_be_read_does_not_hide_the_others(database, settings, free_ports, lake):
    @contextmanager
    def opened():
        yield database

    [port] = free_ports(1)
    away = settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{port}", "lake": lake})
    state = Cached(away, opened).get()
    assert isinstance(state.listens, Problem)
    assert "No Kafka broker answers" in state.listens.sentence
    assert state.corpus.files == 8
    assert [name for name, _ in state.problems()] == ["listens"]
