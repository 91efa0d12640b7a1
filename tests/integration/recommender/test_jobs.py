"""The three Spark jobs of the recommender, one after the other, on a real broker, document server and registry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pymongo.database import Database
from tests.support.api_server import free_port
from tests.support.audience import documents_of, make_audience

from segue.connections import offsets, topics
from segue.connections.windows import OffsetWindow
from segue.demo.listeners import produce
from segue.errors import ServiceUnavailableError
from segue.recommender import incremental
from segue.recommender.retraining import look_up
from segue.recommender.training import FullTraining
from segue.runs import summaries
from segue.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration
START = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC = "quiet"
DAYS = OffsetWindow("tracks", {0: (0, 2)})

Job = Callable[..., Callable[[], None]]


def test_train_update_and_place(
    job: Job,
    settings: Settings,
    spark: SparkSession,
    kafka: str,
    mongo: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, audience = {"bootstrap_servers": kafka}, make_audience()
    topics.create_listens_topic(config, TOPIC)

    def listen(events: int, day: int) -> OffsetWindow:
        """Let listens of a day arrive; return all that the topic has then."""
        start = START + timedelta(days=day)
        here = settings.model_copy(update={"listens_topic": TOPIC})
        produce(here, audience.play(events=events, start=start, end=start + timedelta(days=20)))
        return look(config, TOPIC)

    asked: list[str] = []
    look = offsets.whole_topic
    monkeypatch.setattr(offsets, "whole_topic", lambda *which: asked.append(which[1]) or look(*which))

    def run(name: str, *arguments: str) -> dict[str, Any]:
        asked.clear()
        job(name, *arguments)()
        spark.catalog.clearCache()  # a job has a session of its own
        assert asked == [TOPIC], "one look at the broker"
        return summaries.read("a/nothing", source=mongo)[name]

    documents = documents_of(audience)
    mongo["recommendations"].delete_many({})
    early = run("place_new_tracks", "--window", DAYS.to_json())
    assert (early["decision"], early["model"], early["days_announced"]) == ("kept", "none", 2)
    assert "there is no recommender yet" in early["reason"]

    mongo["tracks"].insert_many(documents[:-1])
    known = listen(2_000, day=0)
    trained = run("train_recommender", "--trials", "1")
    assert (trained["decision"], trained["model"]) == ("promoted", "recommender/1")
    assert trained["learned"] == known.to_json()
    assert trained["messages"] == known.size == trained["used"] + sum(trained["rejected"].values())
    assert trained["forgotten_users"].keys() == {"now out of the model"}

    later = listen(200, day=30)
    window = OffsetWindow(TOPIC, {p: (known.ends[p], end) for p, end in later.ends.items()})
    beyond = listen(30, day=60)
    monkeypatch.setattr(incremental, "TOLERANCE", 1.0)
    updated = run("retrain_incrementally", "--window", window.to_json())
    assert (updated["decision"], updated["model"]) == ("promoted", "recommender/2")
    assert (updated["messages_in_window"], updated["window"]) == (200, window.to_json())
    assert updated["messages"] == later.size, "not what came after the window"
    assert updated["waiting_after_window"] == beyond.size - later.size
    assert updated["updates_since_full_training"] == 1
    assert updated["ndcg@10_of_full_training"] == updated["champion"]
    assert updated["first_event_to_promoted_s"] > 0

    again = run("retrain_incrementally", "--window", window.to_json())
    assert (again["decision"], again["listeners_served"]) == ("kept", 0)
    assert "already seen" in again["reason"]

    mongo["tracks"].insert_one(documents[-1])
    placed = run("place_new_tracks", "--window", DAYS.to_json())
    assert (placed["decision"], placed["model"]) == ("promoted", "recommender/3")
    assert (placed["tracks_new"], placed["tracks_gone"], placed["window"]) == (1, 0, DAYS.to_json())
    assert placed["messages"] == beyond.size, "the lists leave out what was just played"
    assert placed["listeners_served"] == mongo["recommendations"].count_documents({})


def test_a_training_as_of_a_past_day_does_not_ask_kafka(
    settings: Settings, mongo: Database[dict[str, Any]], tmp_path: Path
) -> None:
    away = settings.model_copy(
        update={"kafka_port": free_port(), "mlflow_tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"}
    )
    start = look_up(FullTraining(as_of=date(2026, 1, 20)), mongo, away)
    assert (start.window.spans, start.end_offsets, start.champion) == ({}, {}, None)
    with pytest.raises(ServiceUnavailableError, match="Kafka"):
        look_up(FullTraining(), mongo, away)
