"""The three Spark jobs of the recommender, one after the other, on a real broker, document server and registry."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from pymongo.database import Database
from tests.support.api_server import free_port
from tests.support.audience import documents_of, make_audience
from tests.support.registries import empty_database

from segue.connections import offsets, topics
from segue.connections.kafka import Config
from segue.connections.registry import Registry
from segue.connections.windows import OffsetWindow
from segue.demo.listeners import produce
from segue.errors import ServiceUnavailableError
from segue.listens import losses
from segue.recommender import gate
from segue.recommender.model import NAME
from segue.recommender.reports import (
    FullTrainingReport,
    IncrementalUpdateReport,
    PlacementFigures,
    RetrainingReport,
    TrackPlacementReport,
)
from segue.recommender.retraining import look_up
from segue.recommender.serving import release
from segue.recommender.serving.champion import Champion
from segue.recommender.training import FullTraining
from segue.runs import summaries
from segue.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = OffsetWindow("tracks", {0: (0, 2)})

Job = Callable[..., Callable[[], None]]
Kind = TypeVar("Kind", bound=RetrainingReport)


def test_train_update_and_place(
    job: Job,
    quiet_topic: str,
    settings: Settings,
    spark: SparkSession,
    kafka: Config,
    mongo: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    config, audience = kafka, make_audience()
    topics.create_listens_topic(config, quiet_topic)

    def listen(events: int, day: int) -> OffsetWindow:
        """Let listens of a day arrive; return all that the topic has then."""
        start = START + timedelta(days=day)
        here = settings.model_copy(update={"listens_topic": quiet_topic})
        produce(here, audience.play(events=events, start=start, end=start + timedelta(days=20)))
        return look(config, quiet_topic)

    asked: list[str] = []
    look, this_thread = offsets.whole_topic, threading.get_ident()

    def whole_topic(which: dict[str, Any], topic: str) -> OffsetWindow:
        if threading.get_ident() == this_thread:  # an API of another test looks too
            asked.append(topic)
        return look(which, topic)

    monkeypatch.setattr(offsets, "whole_topic", whole_topic)

    def run(kind: type[Kind], *arguments: str) -> Kind:
        asked.clear()
        job(kind.JOB, *arguments)()
        spark.catalog.clearCache()  # a job has a session of its own
        assert asked == [quiet_topic], "one look at the broker"
        return summaries.require("a/nothing", kind, source=mongo)

    documents = documents_of(audience)
    mongo["recommendations"].delete_many({})
    early = run(TrackPlacementReport, "--window", DAYS.to_json())
    assert (early.decision, early.model, early.days_announced) == ("kept", "none", 2)
    assert (early.screened, early.placed) == (None, None)
    assert "there is no recommender yet" in early.reason

    mongo["tracks"].insert_many(documents[:-1])
    known = listen(2_000, day=0)
    trained = run(FullTrainingReport, "--trials", "1")
    assert (trained.decision, trained.model) == ("promoted", "recommender/1")
    assert trained.learned == known.to_json()
    counts = trained.screened
    assert counts is not None
    assert counts.messages == known.size == counts.used + sum(counts.rejected.values())
    assert trained.compared.forgotten_users is not None
    assert trained.compared.forgotten_users.keys() == {"now out of the model"}

    later = listen(200, day=30)
    window = OffsetWindow(quiet_topic, {p: (known.ends[p], end) for p, end in later.ends.items()})
    beyond = listen(30, day=60)
    monkeypatch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
    done = run(IncrementalUpdateReport, "--window", window.to_json())
    assert (done.decision, done.model, done.compared) == ("promoted", "recommender/2", None)
    assert (done.messages_in_window, done.window) == (200, window.to_json())
    assert done.screened is not None
    assert done.screened.messages == later.size, "not what came after the window"
    assert done.waiting_after_window == beyond.size - later.size
    assert done.updated is not None
    assert done.updated.updates_since_full_training == 1
    assert done.updated.full_training_ndcg_at_10 == done.updated.champion_ndcg_at_10
    assert done.first_event_to_promoted_s is not None
    assert done.first_event_to_promoted_s > 0

    again = run(IncrementalUpdateReport, "--window", window.to_json())
    assert (again.decision, again.listeners_served, again.updated) == ("kept", 0, None)
    assert "already seen" in again.reason

    mongo["tracks"].insert_one(documents[-1])
    placed = run(TrackPlacementReport, "--window", DAYS.to_json())
    assert (placed.decision, placed.model, placed.window) == ("promoted", "recommender/3", DAYS.to_json())
    assert placed.placed == PlacementFigures(tracks_new=1, tracks_gone=0)
    assert placed.screened is not None
    assert placed.screened.messages == beyond.size, "the lists leave out what was just played"
    assert placed.listeners_served == mongo["recommendations"].count_documents({})

    # The drill: the registry is lost with all its models. A training makes a champion again, and it serves.
    here = settings.model_copy(
        update={"lake": str(tmp_path), "mlflow_tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"}
    )
    registry, serving = Registry(here), Champion(here)
    assert serving.look(registry)
    assert lost_models(mongo, here) == []
    for version in registry.versions():
        if version.name == NAME:
            shutil.rmtree(version.folder())
    for file in tmp_path.glob("mlflow.db*"):
        file.unlink()
    assert not serving.look(registry)
    assert serving.served, "from memory"
    report = {"_id": "recommender/drill/train_recommender", "decision": "promoted"}  # these jobs have other ids
    mongo[summaries.COLLECTION].insert_one(report)
    [sentence] = lost_models(mongo, here)
    assert "no model 'recommender', although the DAG `recommender` has promoted one. Run it again" in sentence
    (tmp_path / "mlflow.db").write_bytes(empty_database())  # as a job does, which is another process
    again = run(FullTrainingReport, "--trials", "1")
    assert (again.decision, again.model) == ("promoted", "recommender/1")
    assert serving.look(registry)
    assert (serving.served.version, serving.error) == ("recommender/1", None)
    assert lost_models(mongo, here) == []
    mongo[summaries.COLLECTION].delete_one({"_id": report["_id"]})


def lost_models(mongo: Database[dict[str, Any]], settings: Settings) -> list[str]:
    return [loss.sentence for loss in losses.find(mongo, settings) if loss.store == "models"]


class Stopped(BaseException):
    """In place of a kill: no handler of the code catches it."""


def stop(*_: object) -> None:
    raise Stopped


def test_each_job_that_is_stopped_between_promotion_and_publication_is_completed_by_its_retry(
    job: Job,
    quiet_topic: str,
    settings: Settings,
    spark: SparkSession,
    kafka: Config,
    mongo: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, audience = kafka, make_audience()
    here = settings.model_copy(update={"listens_topic": quiet_topic})
    topics.create_listens_topic(config, quiet_topic)
    monkeypatch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
    for name in ("recommendations", release.NOTES):
        mongo[name].delete_many({})

    def listen(events: int, day: int) -> OffsetWindow:
        start = START + timedelta(days=day)
        produce(here, audience.play(events=events, start=start, end=start + timedelta(days=20)))
        return offsets.whole_topic(config, quiet_topic)

    def stopped_and_run_again(kind: type[Kind], *arguments: str) -> tuple[str, str | None]:
        with monkeypatch.context() as patch:
            patch.setattr(release, "publish", stop)
            with pytest.raises(Stopped):
                job(kind.JOB, *arguments)()
        job(kind.JOB, *arguments)()
        spark.catalog.clearCache()
        report = summaries.require("a/nothing", kind, source=mongo)
        lists = list(mongo["recommendations"].find({}, {"model_version": 1}))
        assert report.listeners_served == len(lists) > 0
        assert {each["model_version"] for each in lists} == {report.model}
        return report.decision, report.model

    documents = documents_of(audience)
    mongo["tracks"].insert_many(documents[:-1])
    known = listen(2_000, day=0)
    trained = stopped_and_run_again(FullTrainingReport, "--trials", "1")
    assert trained == ("promoted", "recommender/2"), "a full training starts anew"
    later = listen(200, day=30)
    window = OffsetWindow(quiet_topic, {p: (known.ends[p], end) for p, end in later.ends.items()})
    updated = stopped_and_run_again(IncrementalUpdateReport, "--window", window.to_json())
    assert updated == ("kept", "recommender/3")
    mongo["tracks"].insert_one(documents[-1])
    assert stopped_and_run_again(TrackPlacementReport, "--window", DAYS.to_json()) == ("kept", "recommender/4")


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
