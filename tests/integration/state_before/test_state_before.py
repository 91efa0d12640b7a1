"""A state folder of the version before one collection of listens and typed reports: Segue takes it over whole.

The version before has written it: see `tests.support.make_state_before`, which makes it anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.api_server import eventually
from tests.support.state_before import CORPUS, unpack

from segue.connections import kafka, offsets
from segue.connections.registry import Registry
from segue.connections.windows import OffsetWindow
from segue.corpus.reports import (
    CleaningReport,
    CorpusSummary,
    ExtractReport,
    GateReport,
    InventoryReport,
    PublishReport,
)
from segue.demo.listeners import produce
from segue.genres.reports import GenreReport
from segue.listens.events import listen
from segue.listens.reports import ListensReport
from segue.listens.store import event_of
from segue.recommender.candidate import Lineage
from segue.recommender.model import NAME
from segue.recommender.reports import FullTrainingReport, IncrementalUpdateReport
from segue.runs import reports, summaries
from segue.settings import PROJECT_DIR, Settings
from segue.stack import lifecycle, ports, spark_conf

pytestmark = pytest.mark.integration

Documents = Database[dict[str, Any]]
Described = dict[str, Any]

KINDS = {
    kind.JOB: kind
    for kind in (
        *(InventoryReport, ExtractReport, CleaningReport, GateReport, PublishReport),
        *(ListensReport, GenreReport, FullTrainingReport, IncrementalUpdateReport),
    )
}


@pytest.fixture(scope="module")
def here(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("before")
    return Settings(
        home=home, corpus=CORPUS, jars=settings.jars_dir, spark_driver_memory_mb=1024, **ports.for_a_stack()
    )


@pytest.fixture(scope="module")
def described(here: Settings) -> Iterator[Described]:
    """Start the services on the state folder of the version before; yield what that version held and answered."""
    told = unpack(here.state_dir)
    lifecycle.up(here, ["kafka", "mongo", "api", "live"])
    yield told
    lifecycle.down(here)


@pytest.fixture(scope="module")
def database(here: Settings, described: Described) -> Iterator[Documents]:
    assert described
    with MongoClient[dict[str, Any]](here.mongo) as client:
        yield client[here.mongo_database]


def get(here: Settings, path: str, token: str) -> Any:
    url = f"http://127.0.0.1:{here.api_port}{path}"
    response = httpx.get(url, headers={"Authorization": f"Token {token}"}, timeout=60)
    assert response.is_success, response.text
    return response.json()


def ids(database: Documents, collection: str, query: dict[str, Any] | None = None) -> list[str]:
    return sorted(found["_id"] for found in database[collection].find(query or {}, {"_id": 1}))


def test_all_listens_are_in_one_collection_once_with_their_tracks(
    described: Described, database: Documents
) -> None:
    eventually(lambda: not database.list_collection_names(filter={"name": "plays"}))
    held = list(database["listens"].find())
    matched = [[each["user_name"], each["listened_at"], each["track_id"]] for each in held if "track_id" in each]
    assert sorted(matched) == described["plays"]
    unmatched = [each for each in held if "track_id" not in each]
    assert [event_of(each).track_name for each in unmatched] == ["Not in the corpus"] * 2
    assert {each["user_name"] for each in held}.isdisjoint({"gone"})


def test_tokens_histories_and_feedback_are_answered_as_before(here: Settings, described: Described) -> None:
    for user, token in described["tokens"].items():
        shown = get(here, f"/1/user/{user}/listens?count=100", token)["payload"]["listens"]
        assert [relevant(each) for each in shown] == [relevant(each) for each in described["listens"][user]]
        feedback = get(here, f"/1/feedback/user/{user}/get-feedback", token)["feedback"]
        assert [(each["recording_msid"], each["score"], each["created"]) for each in feedback] == [
            (each["recording_msid"], each["score"], each["created"]) for each in described["feedback"][user]
        ]


def relevant(shown: dict[str, Any]) -> tuple[Any, ...]:
    track = shown.get("segue", {}).get("track_id")
    return shown["listened_at"], shown["recording_msid"], shown["track_metadata"]["track_name"], track


def test_recommendations_of_the_old_model_are_answered(here: Settings, described: Described) -> None:
    api = f"http://127.0.0.1:{here.api_port}"
    eventually(lambda: httpx.get(f"{api}/health").json()["recommendations"]["champion"]["version"])
    for user, token in described["tokens"].items():
        stored = get(here, f"/v1/users/{user}/recommendations", token)
        assert [item["track_id"] for item in stored["items"]] == described["recommendations"][user]
        ranked = get(here, f"/v1/users/{user}/recommendations?count=5", token)
        assert len(ranked["items"]) == 5


def test_old_reports_are_read(described: Described, database: Documents) -> None:
    assert ids(database, "reports") == described["reports"]
    for run_id in described["reports"]:
        assert "<html" in str(reports.read(run_id, source=database))
    assert set(described["run_summaries"]) <= set(ids(database, "run_summaries"))
    jobs = set()
    for key in described["run_summaries"]:
        run_id, _, job = key.rpartition("/")
        jobs.add(job)
        if kind := KINDS.get(job):
            assert summaries.render(job, summaries.require(run_id, kind, source=database))
    assert jobs >= {"publish", "ingest_listens", "train_recommender"}


def test_a_corpus_run_publishes_the_same_tracks_in_the_new_form_though_half_of_them_were_moved(
    here: Settings, described: Described, database: Documents
) -> None:
    run_id, music = "corpus/after", here.state_dir / "music"
    (music / "renamed").mkdir()
    for path in sorted(music.glob("t0*.ogg")):
        path.rename(music / "renamed" / path.name)
    command = [sys.executable, "-m", "tests.support.corpus_run", run_id]
    subprocess.run(command, cwd=PROJECT_DIR, env=os.environ | spark_conf.environment(here), check=True)
    found = summaries.require(run_id, InventoryReport, source=database).found
    assert (found.new, found.gone, found.moved, found.hashed) == (0, 0, 12, 25), (
        "the archive does not keep the times of files"
    )
    extracted = summaries.require(run_id, ExtractReport, source=database)
    assert extracted.outcomes.rejects == 1
    assert extracted.work.extracted == extracted.outcomes.features, "for their musical descriptors only"
    report = summaries.require(run_id, PublishReport, source=database).published
    assert (report.tracks, report.removed) == (len(described["tracks"]), 0)
    assert summaries.require(run_id, CorpusSummary, source=database).tracks_out == report.tracks
    assert ids(database, "tracks") == described["tracks"]
    assert ids(database, "tracks", {"genre_predicted": {"$ne": None}}) == described["genre_predicted"]
    assert {type(track["features"]) for track in database["tracks"].find()} == {bytes}


def test_an_incremental_retraining_starts_from_the_old_model(
    here: Settings, described: Described, database: Documents
) -> None:
    registry = Registry(here)
    before = registry.champion(NAME)
    assert before is not None
    now, liked = int(time.time()), described["recommendations"]
    new = [
        listen(user, liked[user][place], now - 60 * place) for user in described["tokens"] for place in range(5)
    ]
    produce(here, new)
    topic = offsets.whole_topic(kafka.config(here), here.listens_topic)
    window = OffsetWindow(
        topic.topic, {part: (Lineage.of(before).learned[part], end) for part, end in topic.ends.items()}
    )
    run_job(
        here, "retrain_incrementally", "--run-id", "incremental_retraining/after", "--window", window.to_json()
    )
    report = summaries.require("incremental_retraining/after", IncrementalUpdateReport, source=database)
    assert report.updated is not None, report.reason
    # Each hated track was played once, and this play counts for nothing.
    hated = sum(each["score"] == -1 for given in described["feedback"].values() for each in given)
    assert report.updated.listens == len(described["plays"]) + len(new) - hated
    assert report.updated.full_training_ndcg_at_10 is not None
    after = registry.champion(NAME)
    assert after is not None
    if report.decision == "promoted":
        old, new_one = Lineage.of(before), Lineage.of(after)
        assert new_one.learned == topic.ends
        assert new_one.full_training == (old.full_training or before.number)
        assert new_one.updates == old.updates + 1


def run_job(here: Settings, job: str, *arguments: str) -> None:
    command = [sys.executable, str(PROJECT_DIR / "spark_jobs" / f"{job}.py"), *arguments]
    subprocess.run(command, env=os.environ | spark_conf.environment(here), check=True)
