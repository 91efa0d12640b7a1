"""A publication that is stopped in its middle, on a real document server and a real registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from pymongo.database import Database
from tests.support.live_corpus import LISTENERS, TRACKS, material, model
from tests.support.registries import new_registry

from segue.connections.registry import Registry
from segue.connections.spark import workers_error
from segue.connections.windows import Offsets, OffsetWindow
from segue.errors import ServiceUnavailableError
from segue.recommender import retraining
from segue.recommender.candidate import Candidate, Lineage, PromotionDecision
from segue.recommender.material import Material
from segue.recommender.model import NAME, Catalogue, Recommender
from segue.recommender.retraining import Retraining, Start
from segue.recommender.serving import batch, release
from segue.recommender.serving.champion import Served
from segue.recommender.serving.lists import documents
from segue.recommender.serving.recommend import Wishes
from segue.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration
KEPT = PromotionDecision(False, "recommender/2", "the champion has already seen all of these listens")

Publish = Callable[[PromotionDecision, Material], int]


class Stopped(BaseException):
    """In place of a kill: no handler of the code catches it."""


@pytest.fixture
def database(mongo: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Database[dict[str, Any]]:
    monkeypatch.setattr(batch, "BATCH", 1)
    monkeypatch.setattr(batch, "LISTENS", 4)  # those of two listeners
    mongo.client.drop_database("segue-publication")
    return mongo.client["segue-publication"]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return new_registry(tmp_path)


def promote(registry: Registry, seed: int) -> PromotionDecision:
    return Candidate(model(seed), Lineage(Offsets({})), "better").promote(registry)


@pytest.fixture
def publish_rest(
    spark: SparkSession, settings: Settings, database: Database[dict[str, Any]], registry: Registry
) -> Publish:
    """Publish as a retraining does at its end."""

    def publish(decision: PromotionDecision, learned: Material) -> int:
        served = release.unpublished(database, registry, decision, learned.catalogue)
        return release.publish(spark, database, settings, served, learned, {}) if served else 0

    return publish


def versions(database: Database[dict[str, Any]]) -> list[str]:
    return [each["model_version"] for each in database["recommendations"].find(sort=[("_id", 1)])]


def after(calls: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is stopped when it was called so many times."""
    left = [calls]

    def stopping(*arguments: Any, **named: Any) -> Any:
        if not left[0]:
            raise Stopped
        left[0] -= 1
        return function(*arguments, **named)

    return stopping


@pytest.mark.parametrize(
    ("module", "name", "calls"),
    [
        (release, "recommend_all", 0),
        (batch, "listeners_of", 0),
        (batch, "listeners_of", 1),
        (release, "pages_of", 0),
    ],
    ids=["before the lists", "before the first job", "between two jobs", "before the note"],
)
def test_what_a_stopped_run_has_left_is_published_by_the_next_one_though_it_promotes_nothing(
    database: Database[dict[str, Any]],
    registry: Registry,
    publish_rest: Publish,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    calls: int,
) -> None:
    learned = material(model(0).catalogue)
    assert publish_rest(promote(registry, 0), learned) == LISTENERS
    assert versions(database) == ["recommender/1"] * LISTENERS
    decision = promote(registry, 1)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, after(calls, getattr(module, name)))
        with pytest.raises(Stopped):
            publish_rest(decision, learned)
    assert publish_rest(KEPT, learned) == LISTENERS
    assert versions(database) == ["recommender/2"] * LISTENERS
    assert publish_rest(KEPT, learned) == 0, "once is enough"


def test_the_first_publication_is_completed_too_and_so_is_a_promotion_by_hand(
    database: Database[dict[str, Any]], registry: Registry, publish_rest: Publish
) -> None:
    learned = material(model(0).catalogue)
    assert publish_rest(KEPT, learned) == 0, "there is no champion"
    promote(registry, 0)
    assert publish_rest(KEPT, learned) == LISTENERS
    publish_rest(promote(registry, 1), learned)
    registry.rollback(NAME)
    assert publish_rest(KEPT, learned) == LISTENERS
    assert versions(database) == ["recommender/1"] * LISTENERS


def test_the_champion_is_published_for_the_tracks_that_the_corpus_has_now(
    database: Database[dict[str, Any]], registry: Registry, publish_rest: Publish
) -> None:
    known = model(0).catalogue
    promote(registry, 0)
    rest = Catalogue(known.track_ids[1:], known.titles[1:], known.artists[1:])
    assert publish_rest(KEPT, material(rest)) == LISTENERS
    shown = {item["track_id"] for each in database["recommendations"].find() for item in each["items"]}
    assert shown <= set(rest.track_ids)
    assert len(shown) > TRACKS // 2


@dataclass(frozen=True)
class Keeping(Retraining):
    """Keeps the champion, from all listens up to now or from those of a past day."""

    reads_topic: bool = True  # type: ignore[misc]  # a property of the class above

    def read(self, *_: object) -> Any:
        return None

    def decide(self, spark: object, start: Start, material: Material) -> PromotionDecision:  # noqa: ARG002
        return start.keep("it has learned these listens")

    def report(self, *_: object) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(("up_to_now", "served"), [(True, LISTENERS), (False, 0)])
def test_a_retraining_that_keeps_the_champion_publishes_it_but_not_from_the_listens_of_a_past_day(
    database: Database[dict[str, Any]],
    registry: Registry,
    spark: SparkSession,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    up_to_now: bool,
    served: int,
) -> None:
    promote(registry, 0)
    topic = OffsetWindow("listens", {0: (0, 10)})
    start = Start(registry, registry.champion(NAME), topic, topic)
    learned = material(model(0).catalogue)
    # In place of what Spark reads.
    monkeypatch.setattr(retraining, "look_up", lambda *_: start)
    monkeypatch.setattr(retraining, "read_tracks", lambda *_: MagicMock())
    monkeypatch.setattr(retraining, "screen", lambda *_, **__: SimpleNamespace(read=10, listens=None))
    monkeypatch.setattr(Material, "read", lambda *_: learned)
    done = retraining.retrain(Keeping(up_to_now), spark, database, settings)
    assert done.listeners_served == len(versions(database)) == served


def test_a_champion_that_cannot_be_loaded_is_not_published(
    database: Database[dict[str, Any]], registry: Registry, publish_rest: Publish
) -> None:
    promote(registry, 0)
    champion = registry.champion(NAME)
    assert champion is not None
    (champion.folder() / "factors.npy").write_bytes(b"damaged")
    assert publish_rest(KEPT, material(model(0).catalogue)) == 0
    assert versions(database) == []


def test_lists_of_listeners_who_are_not_there_any_more_are_deleted_however_many_they_are(
    database: Database[dict[str, Any]], registry: Registry, publish_rest: Publish
) -> None:
    """Their names exceed what MongoDB can answer in one document (16 MB)."""
    long_ago = {"generated_at": release.datetime(2025, 1, 1, tzinfo=release.UTC), "items": []}
    for start in range(0, 17_000, 1_000):
        database["recommendations"].insert_many(
            [{"_id": f"{number:01000}"} | long_ago for number in range(start, start + 1_000)]
        )
    learned = material(model(0).catalogue)
    assert publish_rest(promote(registry, 0), learned) == LISTENERS
    assert versions(database) == ["recommender/1"] * LISTENERS


def test_the_executors_write_the_same_lists_as_the_champion_makes_in_one_process(
    database: Database[dict[str, Any]], registry: Registry, publish_rest: Publish
) -> None:
    learned, decision = material(model(0).catalogue), promote(registry, 0)
    assert publish_rest(decision, learned) == LISTENERS
    found = list(database["recommendations"].find(sort=[("_id", 1)]))
    champion = registry.champion(NAME)
    assert champion is not None
    served = Served(decision.version, Recommender.fetch(champion))
    listeners, when = batch.listeners_of(learned.interactions), found[0]["generated_at"]
    now = when.replace(tzinfo=release.UTC).timestamp()
    # Page by page, as the executors do: the scores of listeners that are ranked together are rounded otherwise.
    pages = [{name: listener} for name, listener in listeners.items()]
    here = [each for page in pages for each in documents(served, page, now=now, wishes=Wishes())]
    assert found == [each | {"generated_at": when} for each in here]
    assert all(len(each["items"]) > TRACKS // 4 for each in found)


def test_newer_lists_stay_and_those_of_unknown_listeners_go(
    database: Database[dict[str, Any]], registry: Registry, publish_rest: Publish
) -> None:
    newer = release.datetime(2100, 1, 1, tzinfo=release.UTC)
    older = release.datetime(2020, 1, 1, tzinfo=release.UTC)
    database["recommendations"].insert_many(
        [
            {"_id": "listener 1", "generated_at": newer, "model_version": "live", "items": []},
            {"_id": "gone", "generated_at": older, "model_version": "old", "items": []},
        ]
    )
    publish_rest(promote(registry, 0), material(model(0).catalogue))
    assert versions(database) == ["recommender/1", "live", *["recommender/1"] * (LISTENERS - 2)]


def test_if_the_executors_do_not_reach_the_document_server_a_sentence_says_so(
    spark: SparkSession, settings: Settings, database: Database[dict[str, Any]]
) -> None:
    away = settings.model_copy(update={"mongo_uri": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50"})
    learned = material(model(0).catalogue)
    with pytest.raises(Exception, match="MongoDB does not answer") as raised:
        release.publish(spark, database, away, Served("recommender/1", model(0)), learned, {})
    assert isinstance(workers_error(raised.value), ServiceUnavailableError)
    assert database[release.NOTES].find_one() is None
