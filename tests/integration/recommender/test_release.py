"""From messages in a real broker to recommendations in a real document server, with a real registry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaProducer
from pymongo.database import Database
from tests.support.audience import documents_of, make_audience

from segue.api import forgetting
from segue.api.forgetting import forget_in_database
from segue.connections import offsets
from segue.connections.kafka import Config
from segue.connections.kafka import config as kafka_config
from segue.connections.model_version import Version
from segue.connections.registry import Registry
from segue.connections.windows import OffsetWindow
from segue.demo.listeners import Audience, produce
from segue.errors import TrainingError
from segue.listens import training_data
from segue.listens.events import listen
from segue.listens.removals import Removals, user_key
from segue.listens.screening import TAKEN_BACK, Screened, screen
from segue.recommender import gate, incremental, training
from segue.recommender.candidate import AS_OF, FULL, UPDATES, Lineage, PromotionDecision
from segue.recommender.comparison import Comparison
from segue.recommender.components.blend import Blend
from segue.recommender.incremental import IncrementalUpdate
from segue.recommender.material import Material
from segue.recommender.model import NAME, Recommender
from segue.recommender.report import TITLE
from segue.recommender.reports import ComparisonFigures, FullTrainingReport, UpdateFigures
from segue.recommender.retraining import Start
from segue.recommender.serving import release
from segue.recommender.serving.champion import Served
from segue.runs import reports, summaries
from segue.runs.html import retitled
from segue.settings import PROJECT_DIR, Settings
from segue.stack import documents, lifecycle, spark_conf
from segue.tracks.vectors import pack

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.integration
START = datetime(2026, 1, 1, tzinfo=UTC)
POISON = (b"{not json", b'{"schema_version": 1}', None)
PAST = 2500

Run = Callable[[OffsetWindow], tuple[Material, Screened]]


@pytest.fixture(scope="module")
def here(
    settings: Settings, kafka: Config, mongo: Database[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """The stack with a topic, a database and a registry of this module's own."""
    assert kafka
    assert mongo is not None
    registry = f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"
    changed = {"listens_topic": "training", "mlflow_tracking_uri": registry, "mongo_database": "segue-training"}
    return settings.model_copy(update=changed)


@pytest.fixture(scope="module")
def database(here: Settings, mongo: Database[dict[str, Any]]) -> Database[dict[str, Any]]:
    return mongo.client[here.mongo_database]


@pytest.fixture(scope="module")
def audience() -> Audience:
    return make_audience()


@pytest.fixture(scope="module")
def tracks(spark: SparkSession, audience: Audience) -> DataFrame:
    vectors = pack([track.features for track in audience.tracks])
    rows = [
        (track.track_id, track.title, f"artist {i}", track.track_id, vectors[i])
        for i, track in enumerate(audience.tracks)
    ]
    columns = "track_id string, title string, artist string, recording string, features binary"
    return spark.createDataFrame(rows, columns).cache()


@pytest.fixture(scope="module")
def read(spark: SparkSession, here: Settings, tracks: DataFrame, database: Database[dict[str, Any]]) -> Run:
    """Read what the Spark jobs read for a window."""

    def material(window: OffsetWindow) -> tuple[Material, Screened]:
        topic = topic_of(here)
        messages = training_data.read_until(spark, here, window, topic, since=window.starts)
        screened = screen(messages, tracks, Removals(database).all())
        return Material.read(screened.listens, tracks), screened

    return material


def topic_of(here: Settings) -> OffsetWindow:
    return offsets.whole_topic(kafka_config(here), here.listens_topic)


def start_of(here: Settings, window: OffsetWindow) -> Start:
    registry = Registry(here)
    return Start(registry, registry.champion(NAME), topic_of(here), window)


def update(spark: SparkSession, here: Settings, material: Material, window: OffsetWindow) -> PromotionDecision:
    return IncrementalUpdate(window).decide(spark, start_of(here, window), material)


@pytest.fixture(scope="module")
def trained(
    spark: SparkSession, here: Settings, audience: Audience, read: Run, database: Database[dict[str, Any]]
) -> tuple[PromotionDecision, Screened, OffsetWindow]:
    """Past listens, some poison and a forgotten listener, trained in full."""
    database["recommendations"].insert_one(
        {"_id": "gone", "generated_at": datetime(2025, 1, 1, tzinfo=UTC), "items": []}
    )
    forgotten = audience.listeners[0].name
    Removals(database).add(user_key(forgotten))
    produce(here, audience.play(events=PAST, start=START, end=START + timedelta(days=30)))
    with KafkaProducer(**kafka_config(here)) as producer:
        for value in POISON:
            producer.send(here.listens_topic, value, key=b"poison")
    window = topic_of(here)
    material, screened = read(window)
    decision = training.train_in_full(spark, start_of(here, window), material, trials=2)
    release.publish(spark, database, here, served_by(decision), material, Removals(database).all())
    return decision, screened, window


def served_by(decision: PromotionDecision) -> Served:
    assert decision.model is not None
    return Served(decision.version, decision.model)


def champion_of(here: Settings) -> Version:
    found = Registry(here).champion(NAME)
    assert found is not None
    return found


def test_the_first_recommender_is_promoted_with_what_was_measured(
    trained: tuple[PromotionDecision, Screened, OffsetWindow], here: Settings
) -> None:
    decision, _, window = trained
    assert decision.promoted
    assert isinstance(decision.figures, ComparisonFigures)
    assert set(decision.figures.ndcg_at_10) == {
        "popularity",
        "item cosine",
        "EASE",
        "GF-CF",
        "RP3beta",
        "ALS",
        "content only",
        "Segue",
    }
    champion = champion_of(here)
    assert str(champion) == decision.version
    assert Lineage.of(champion).learned == window.ends
    assert Recommender.load(champion.folder()).recipe == decision.model.recipe  # type: ignore[union-attr]


def kept_report(here: Settings) -> str:
    """Read the report of the champion, with its name in the title: it was written before it had one."""
    champion = champion_of(here)
    page = (champion.folder().parent / "report.html").read_text()
    return retitled(page, TITLE, f"{TITLE} {champion}")


def test_the_report_is_kept_with_the_version(
    trained: tuple[PromotionDecision, Screened, OffsetWindow], here: Settings, audience: Audience
) -> None:
    decision, screened, _ = trained
    assert decision.html
    assert kept_report(here) == decision.html
    assert "Promoted" in decision.html
    learned = screened.listens.where(screened.listens.user_name != audience.listeners[0].name).count()
    assert f"<dt>Listens</dt><dd>{learned:,}</dd>" in decision.html


def test_every_poisonous_message_is_counted_and_the_rest_used(
    trained: tuple[PromotionDecision, Screened, OffsetWindow],
) -> None:
    _, screened, window = trained
    assert screened.read == window.size == PAST + len(POISON)
    assert screened.used + screened.rejected[TAKEN_BACK] == PAST
    assert screened.rejected[TAKEN_BACK] > 0


def test_every_listener_but_the_forgotten_gets_tracks_they_have_not_played_and_why(
    trained: tuple[PromotionDecision, Screened, OffsetWindow],
    audience: Audience,
    database: Database[dict[str, Any]],
) -> None:
    decision, screened, _ = trained
    found = {document["_id"]: document for document in database["recommendations"].find()}
    played = {(row.user_name, row.track_id) for row in screened.listens.collect()}
    assert set(found) == {person.name for person in audience.listeners[1:]}
    for name, document in found.items():
        items = document["items"]
        assert document["model_version"] == decision.version
        assert [item["score"] for item in items] == sorted((item["score"] for item in items), reverse=True)
        assert not {(name, item["track_id"]) for item in items} & played
        assert all(item["reason"] for item in items)


def test_listens_that_the_champion_has_seen_change_nothing(
    trained: tuple[PromotionDecision, Screened, OffsetWindow], spark: SparkSession, here: Settings, read: Run
) -> None:
    decision, _, window = trained
    material, _ = read(window)
    again = update(spark, here, material, window)
    assert not again.promoted
    assert again.version == decision.version
    assert "already seen" in again.reason


@pytest.fixture
def newer(
    here: Settings, audience: Audience, trained: tuple[PromotionDecision, Screened, OffsetWindow]
) -> OffsetWindow:
    """Listens of a later day; what has come since the champion was trained."""
    assert trained
    learned = Lineage.of(champion_of(here)).learned
    day = START + timedelta(days=40 + sum(learned.values()) % 1000)
    produce(here, audience.play(events=400, start=day, end=day + timedelta(days=1)))
    ends = topic_of(here).ends
    return OffsetWindow(here.listens_topic, {p: (learned[p], end) for p, end in ends.items()})


def test_a_listen_of_a_forgotten_user_in_the_window_comes_back_neither_into_the_model_nor_into_a_list(
    newer: OffsetWindow,
    spark: SparkSession,
    here: Settings,
    audience: Audience,
    read: Run,
    database: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone, leaving = audience.listeners[0].name, audience.listeners[1].name
    ahead = int((START + timedelta(days=3_650)).timestamp())
    with KafkaProducer(**kafka_config(here)) as producer:
        for track in audience.tracks[
            :5
        ]:  # of a player whose clock is ahead, received before the user was forgotten
            event = json.loads(listen(gone, track.track_id, ahead).model_dump_json())
            value = json.dumps(event | {"schema_version": 2, "received_at": 1_000.0}).encode()
            producer.send(here.listens_topic, value, key=gone.encode()).get()
    ends = topic_of(here).ends
    window = OffsetWindow(here.listens_topic, {p: (start, ends[p]) for p, start in newer.starts.items()})
    removed = Removals(database).all()
    material, screened = read(window)
    assert screened.in_window > 5
    assert gone not in material.interactions.users
    assert leaving in material.interactions.users
    monkeypatch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
    decision = update(spark, here, material, window)
    assert decision.promoted
    monkeypatch.setattr(forgetting, "CACHED_S", 0)
    monkeypatch.setattr(forgetting, "UNDER_WAY_S", 0)
    forget_in_database(database, leaving)  # while the training runs
    served = release.publish(spark, database, here, served_by(decision), material, removed)
    assert served == len(material.interactions.users) - 1
    assert database["recommendations"].count_documents({"_id": {"$in": [gone, leaving]}}) == 0
    assert database["recommendations"].count_documents({}) == served


def worst_of(model: Recommender) -> Blend:
    return Blend(model.blend.components, {"popularity": -1.0})


def test_a_worse_challenger_is_not_promoted(
    newer: OffsetWindow, spark: SparkSession, here: Settings, read: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = champion_of(here)
    monkeypatch.setattr(incremental, "fold_in_plays", lambda model, *_: replace(model, blend=worst_of(model)))
    decision = update(spark, here, read(newer)[0], newer)
    assert not decision.promoted
    # A champion that was promoted provisionally gives way to the version that it was compared with.
    assert champion_of(here).number == (Lineage.of(before).reference or before.number)


def test_a_crash_before_the_promotion_leaves_the_champion_serving(
    newer: OffsetWindow, spark: SparkSession, here: Settings, read: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = champion_of(here)

    def crash(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "succeed", crash)
        patch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
        with pytest.raises(RuntimeError, match="power cut"):
            update(spark, here, read(newer)[0], newer)
    assert champion_of(here) == before


def test_a_challenger_as_good_takes_over_and_knows_the_window(
    newer: OffsetWindow, spark: SparkSession, here: Settings, read: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = champion_of(here)
    monkeypatch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
    decision = update(spark, here, read(newer)[0], newer)
    assert decision.promoted
    assert champion_of(here).number > before.number
    assert Lineage.of(champion_of(here)).learned == newer.ends


def test_drift_is_counted_from_the_last_full_training(
    newer: OffsetWindow, spark: SparkSession, here: Settings, read: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = champion_of(here)
    monkeypatch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
    decision = update(spark, here, read(newer)[0], newer)
    updates = int(before.tags.get(UPDATES, "0")) + 1
    assert isinstance(decision.figures, UpdateFigures)
    assert decision.figures.updates_since_full_training == updates
    assert int(champion_of(here).tags[UPDATES]) == updates
    assert champion_of(here).tags[FULL] == before.tags.get(FULL, str(before.number))
    assert decision.figures.full_training_ndcg_at_10 is not None
    assert 0 <= decision.figures.full_training_ndcg_at_10 <= 1


def test_a_damaged_champion_is_replaced_by_a_full_training_even_one_that_does_not_pass(
    newer: OffsetWindow, spark: SparkSession, here: Settings, read: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = champion_of(here)
    (champion.folder() / "factors.npy").write_bytes(b"damaged")
    compare = training.compare

    def too_poor(*arguments: Any, **choices: Any) -> Comparison:
        outcome = compare(*arguments, **choices | {"trials": 1})
        return replace(outcome, gains=outcome.gains | {"popularity": (-1.0, -1.0, -1.0)})

    monkeypatch.setattr(training, "compare", too_poor)
    decision = update(spark, here, read(newer)[0], newer)
    assert decision.promoted
    assert "popularity serves until then" in decision.reason
    assert Recommender.load(champion_of(here).folder())
    assert UPDATES not in champion_of(here).tags


def test_a_training_as_of_a_past_day_is_kept_and_does_not_serve(
    newer: OffsetWindow, spark: SparkSession, here: Settings, read: Run
) -> None:
    before, day = champion_of(here), date(2026, 1, 20)
    start = start_of(here, OffsetWindow(here.listens_topic, {}))
    decision = training.train_in_full(spark, start, read(newer)[0], trials=1, as_of=day)
    assert not decision.promoted
    assert champion_of(here).number == before.number
    newest = max(Registry(here).versions(), key=lambda version: version.number)
    assert newest.tags[AS_OF] == "2026-01-20"
    assert f"{newest} knows the listens up to 2026-01-20" in decision.reason
    assert Recommender.load(newest.folder())


@pytest.mark.usefixtures("trained")
def test_the_job_keeps_the_report_of_its_run_and_says_who_is_out_of_the_model(
    here: Settings, audience: Audience, database: Database[dict[str, Any]]
) -> None:
    Removals(database).add(user_key(audience.listeners[2].name))
    database["tracks"].insert_many(documents_of(audience))
    with subprocess.Popen(**job_of(here, "recommender/test")) as job:
        output, _ = job.communicate()
    assert job.returncode == 0, output[-3000:]
    html = reports.read("recommender/test", source=database)
    assert html == kept_report(here)
    done = summaries.require("recommender/test", FullTrainingReport, source=database)
    assert done.compared.forgotten_users == {"now out of the model": 1}, (
        "who has left since the last full training"
    )


@pytest.mark.embedded_documents
def test_a_training_whose_document_server_is_killed_is_completed_by_its_retry(
    here: Settings, database: Database[dict[str, Any]]
) -> None:
    """The job's own reads may outlast the kill; if they do not, the next try finds everything as it was."""
    server = documents.service(here)
    with subprocess.Popen(**job_of(here, "recommender/killed")) as job:
        assert job.stdout is not None
        output = ""
        for line in job.stdout:
            output += line
            if line.startswith("Reading all listens"):
                process = server.process()
                assert process is not None
                os.kill(process.pid, signal.SIGKILL)
                lifecycle.up(here, ["mongo"])
    if job.returncode:
        with subprocess.Popen(**job_of(here, "recommender/killed")) as job:
            output, _ = job.communicate()
    assert job.returncode == 0, output[-3000:]
    done = summaries.require("recommender/killed", FullTrainingReport, source=database)
    assert done.screened is not None
    assert done.screened.messages == done.screened.used + sum(done.screened.rejected.values())
    assert done.listeners_served == database["recommendations"].count_documents({})


def job_of(here: Settings, run_id: str) -> dict[str, Any]:
    """Say how to start the full training as Airflow does."""
    submit = Path(sys.executable).with_name("spark-submit")
    job_file = PROJECT_DIR / "spark_jobs/train_recommender.py"
    reads = f"spark.mongodb.read.database={here.mongo_database}"
    return {
        "args": [submit, "--conf", reads, job_file, "--run-id", run_id, "--trials", "1"],
        "env": os.environ | spark_conf.environment(here),
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }


def test_one_listener_is_too_few(spark: SparkSession, tracks: DataFrame) -> None:
    rows = [("only", "r000", 1, 1.0, 0, 0), ("only", "r001", 2, 1.0, 0, 1)]
    listens = spark.createDataFrame(
        rows, "user_name string, track_id string, listened_at long, plays float, partition int, offset long"
    )
    with pytest.raises(TrainingError, match=r"1 listener\(s\) to 2 track\(s\)"):
        Material.read(listens, tracks)
