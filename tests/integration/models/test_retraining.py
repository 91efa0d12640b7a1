"""From messages in a real broker to recommendations in a real document server, with a real registry."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from kafka import KafkaProducer

from segue.demo.listeners import Audience, CorpusTrack, produce
from segue.models.documents import read_tracks
from segue.models.recommender import Hyperparameters, fit, play_counts
from segue.models.registry import Registry
from segue.models.retraining import ENDS, Retraining
from segue.streaming import broker, events
from segue.streaming.screening import screen
from segue.streaming.window import OffsetWindow

pytestmark = pytest.mark.integration
START = datetime(2026, 1, 1, tzinfo=UTC)
GOOD, USELESS = Hyperparameters(), Hyperparameters(rank=1, iterations=1, regularization=1000.0)
POISON = (b"{not json", b'{"schema_version": 1}', None)


@pytest.fixture(scope="module")
def here(settings, kafka, mongo, tmp_path_factory):  # noqa: ARG001
    """The stack with a topic and a registry of this module's own."""
    registry = f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"
    return settings.model_copy(update={"listens_topic": "retraining", "mlflow_tracking_uri": registry})


@pytest.fixture(scope="module")
def config(here):
    return {"bootstrap_servers": here.kafka_bootstrap}


@pytest.fixture(scope="module")
def audience():
    random = np.random.default_rng(0)
    centres = random.normal(size=(4, 12))
    tracks = [
        CorpusTrack(f"r{i:03}", f"Piece {i}", f"genre {i % 4}", (centres[i % 4] + random.normal(size=12)).tolist())
        for i in range(200)
    ]
    return Audience(tracks, listeners=50, seed=2)


@pytest.fixture(scope="module")
def tracks(spark, audience):
    rows = [(track.track_id, track.title, "somebody") for track in audience.tracks]
    return spark.createDataFrame(rows, "track_id string, title string, artist string").cache()


@pytest.fixture(scope="module")
def run(spark, here, tracks):
    """Do what the Spark jobs do with a window; return the outcome and the counts of messages."""

    def train(training, window, parameters=GOOD, registry=None):
        screened = screen(events.read_until(spark, here.kafka_bootstrap, window), tracks)
        return training(
            Retraining(screened.listens, tracks, window.ends, registry or Registry(here), parameters)
        ), screened

    return train


@pytest.fixture(scope="module")
def trained(here, config, audience, run, mongo):
    """Past listens and some poison, trained in full, over recommendations of a listener who is gone."""
    mongo["recommendations"].replace_one({"_id": "gone"}, {"model_version": "recommender/0"}, upsert=True)
    produce(here, audience.play(events=3500, start=START, end=START + timedelta(days=30)))
    with KafkaProducer(**config) as producer:
        for value in POISON:
            producer.send(here.listens_topic, value, key=b"poison")
    window = broker.whole_topic(config, here.listens_topic)
    outcome, screened = run(Retraining.in_full, window)
    return outcome, screened, window


def served(mongo):
    return {document["_id"]: document for document in mongo["recommendations"].find()}


@pytest.fixture
def new_listens(here, config, audience, trained):  # noqa: ARG001
    """Send listens of a later day; return the window of what has come since the champion was trained."""
    since = Registry(here).champion("recommender").tags[ENDS]
    day = START + timedelta(days=40 + sum(json.loads(since).values()) % 1000)
    produce(here, audience.play(events=400, start=day, end=day + timedelta(days=1)))
    now = broker.whole_topic(config, here.listens_topic).ends
    window = OffsetWindow(here.listens_topic, {p: (json.loads(since)[str(p)], end) for p, end in now.items()})
    produce(here, audience.play(events=50, start=day + timedelta(days=2), end=day + timedelta(days=3)))
    return window


def test_as_long_as_there_is_no_better_model_popularity_serves(here, audience, run, config, mongo, tmp_path):
    empty = Registry(here.model_copy(update={"mlflow_tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"}))
    produce(here, audience.play(events=400, start=START - timedelta(days=9), end=START - timedelta(days=2)))
    outcome, _ = run(Retraining.in_full, broker.whole_topic(config, here.listens_topic), USELESS, empty)
    assert outcome["als"]["ndcg"] <= outcome["popularity"]["ndcg"]
    assert outcome["decision"] == "popularity serves"
    assert empty.champion("recommender") is None
    assert {document["model_version"] for document in served(mongo).values()} == {"popularity"}


def test_the_challenger_is_better_than_popularity_and_promoted(trained, here):
    outcome, _, window = trained
    assert outcome["als"]["ndcg"] > outcome["popularity"]["ndcg"]
    assert outcome["decision"] == "promoted"
    champion = Registry(here).champion("recommender")
    assert str(champion) == outcome["model"]
    assert json.loads(champion.tags[ENDS]) == {str(p): end for p, end in window.ends.items()}
    assert champion.metrics["als_ndcg"] == outcome["als"]["ndcg"]


def test_every_poisonous_message_is_counted_and_the_rest_used(trained):
    _, screened, window = trained
    assert screened.read == window.size
    assert dict(screened.rejected) == {"malformed, json_invalid": 2, "malformed, event_id: missing": 1}
    assert screened.used == window.size - len(POISON)


def test_every_listener_gets_ten_tracks_that_they_have_not_played(trained, audience, mongo):
    outcome, screened, _ = trained
    found = served(mongo)
    played = {(row.user_name, row.track_id) for row in screened.listens.collect()}
    assert set(found) == {person.name for person in audience.listeners}
    titles = {track.track_id: track.title for track in audience.tracks}
    for name, document in found.items():
        items = document["items"]
        assert document["model_version"] == outcome["model"]
        assert [item["rank"] for item in items] == list(range(1, 11))
        assert [item["score"] for item in items] == sorted((item["score"] for item in items), reverse=True)
        assert not {(name, item["track_id"]) for item in items} & played
        assert all(item["title"] == titles[item["track_id"]] for item in items)


def test_listens_that_the_champion_has_seen_change_nothing(trained, run, mongo):
    outcome, _, window = trained
    before = served(mongo)
    again, _ = run(Retraining.incrementally, window)
    assert (again["decision"], again["model"]) == ("kept", outcome["model"])
    assert "already seen" in again["reason"]
    assert served(mongo) == before


def test_a_worse_challenger_is_not_promoted(new_listens, run, here, mongo):
    champion, before = Registry(here).champion("recommender"), served(mongo)
    outcome, _ = run(Retraining.incrementally, new_listens, USELESS)
    assert outcome["challenger"]["ndcg"] < 0.99 * outcome["champion"]["ndcg"]
    assert outcome["decision"] == "kept"
    assert Registry(here).champion("recommender") == champion
    assert served(mongo) == before


def test_a_crash_before_the_promotion_leaves_the_champion_serving(new_listens, run, here, mongo, monkeypatch):
    champion, before = _register_a_useless_champion(run, here, new_listens), served(mongo)

    def crash(*_):
        raise RuntimeError("power cut")

    monkeypatch.setattr(Registry, "promote", crash)
    with pytest.raises(RuntimeError, match="power cut"):
        run(Retraining.incrementally, new_listens)
    assert Registry(here).champion("recommender") == champion
    assert served(mongo) == before


def test_a_better_challenger_takes_over_with_exactly_the_window(new_listens, run, here, mongo):
    champion = _register_a_useless_champion(run, here, new_listens)
    outcome, screened = run(Retraining.incrementally, new_listens)
    assert screened.in_window == new_listens.size
    assert screened.read == sum(new_listens.ends.values())
    assert outcome["decision"] == "promoted"
    successor = Registry(here).champion("recommender")
    assert successor.number > champion.number
    assert json.loads(successor.tags[ENDS]) == {str(p): end for p, end in new_listens.ends.items()}
    assert {document["model_version"] for document in served(mongo).values()} == {str(successor)}
    assert champion.load().stages


def _register_a_useless_champion(run, here, window):
    """Promote a model that has learned nothing of what came before the window."""
    registry = Registry(here)

    def register(training):
        model = fit(play_counts(training.listens.where("not in_window")), USELESS)
        ends = {p: start for p, (start, _) in window.spans.items()}
        return registry.register(
            "recommender", model, parameters={}, metrics={}, tags={ENDS: json.dumps(ends)}, report={}
        )

    version, _ = run(register, window)
    registry.promote(version)
    return registry.champion("recommender")


def test_tracks_are_read_by_field_and_documents_without_one_have_null(spark, mongo):
    mongo["tracks"].replace_one(
        {"_id": "read-1"}, {"title": "Ó", "features": [1.5, -2.0], "flags": []}, upsert=True
    )
    rows = read_tracks(spark, "title", "genre", "features").where("track_id = 'read-1'").collect()
    mongo["tracks"].delete_one({"_id": "read-1"})
    assert [tuple(row) for row in rows] == [("read-1", "Ó", None, [1.5, -2.0])]
