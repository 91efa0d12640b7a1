"""A publication that is stopped in its middle, on a real document server and a real registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from pymongo.database import Database
from tests.support.live_corpus import TRACKS, model
from tests.support.registries import new_registry

from segue.connections.registry import Registry
from segue.connections.windows import Offsets, OffsetWindow
from segue.recommender import retraining
from segue.recommender.candidate import Candidate, Lineage, PromotionDecision
from segue.recommender.interactions import Interactions
from segue.recommender.material import Material
from segue.recommender.model import NAME, Catalogue
from segue.recommender.recipe import Audio
from segue.recommender.retraining import Retraining, Start
from segue.recommender.serving import batch, release
from segue.settings import Settings

pytestmark = pytest.mark.integration
LISTENERS = 5
KEPT = PromotionDecision(False, "recommender/2", "the champion has already seen all of these listens")


class Stopped(BaseException):
    """In place of a kill: no handler of the code catches it."""


@pytest.fixture
def database(mongo: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Database[dict[str, Any]]:
    monkeypatch.setattr(batch, "BATCH", 2)
    mongo.client.drop_database("segue-publication")
    return mongo.client["segue-publication"]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return new_registry(tmp_path)


def material(catalogue: Catalogue) -> Material:
    """Every listener has played two tracks."""
    user = np.repeat(np.arange(LISTENERS), 2)
    item = np.arange(2 * LISTENERS) % len(catalogue)
    names = np.array([f"listener {i}" for i in range(LISTENERS)])
    ones, times = np.ones(len(user), dtype=np.float32), np.arange(len(user), dtype=np.float64)
    plays = Interactions(user, item, ones, times, names, np.asarray(catalogue.track_ids, dtype=str))
    sounds = np.eye(len(catalogue), dtype=np.float32)
    return Material(plays, np.zeros((len(user), 2), np.int64), catalogue, Audio(sounds, catalogue.artists))


def promote(registry: Registry, seed: int) -> PromotionDecision:
    return Candidate(model(seed), Lineage(Offsets({})), "better").promote(registry)


def publish_rest(
    database: Database[dict[str, Any]], registry: Registry, decision: PromotionDecision, learned: Material
) -> int:
    """Publish as a retraining does at its end."""
    served = release.unpublished(database, registry, decision, learned.catalogue)
    return release.publish(database, served, learned, {}) if served else 0


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
        (batch, "replace_older", 0),
        (batch, "replace_older", 1),
        (release, "pages_of", 0),
    ],
    ids=["before the lists", "before the first page", "between two pages", "before the note"],
)
def test_what_a_stopped_run_has_left_is_published_by_the_next_one_though_it_promotes_nothing(
    database: Database[dict[str, Any]],
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    calls: int,
) -> None:
    learned = material(model(0).catalogue)
    assert publish_rest(database, registry, promote(registry, 0), learned) == LISTENERS
    assert versions(database) == ["recommender/1"] * LISTENERS
    decision = promote(registry, 1)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, after(calls, getattr(module, name)))
        with pytest.raises(Stopped):
            publish_rest(database, registry, decision, learned)
    assert publish_rest(database, registry, KEPT, learned) == LISTENERS
    assert versions(database) == ["recommender/2"] * LISTENERS
    assert publish_rest(database, registry, KEPT, learned) == 0, "once is enough"


def test_the_first_publication_is_completed_too_and_so_is_a_promotion_by_hand(
    database: Database[dict[str, Any]], registry: Registry
) -> None:
    learned = material(model(0).catalogue)
    assert publish_rest(database, registry, KEPT, learned) == 0, "there is no champion"
    promote(registry, 0)
    assert publish_rest(database, registry, KEPT, learned) == LISTENERS
    publish_rest(database, registry, promote(registry, 1), learned)
    registry.rollback(NAME)
    assert publish_rest(database, registry, KEPT, learned) == LISTENERS
    assert versions(database) == ["recommender/1"] * LISTENERS


def test_the_champion_is_published_for_the_tracks_that_the_corpus_has_now(
    database: Database[dict[str, Any]], registry: Registry
) -> None:
    known = model(0).catalogue
    promote(registry, 0)
    rest = Catalogue(known.track_ids[1:], known.titles[1:], known.artists[1:])
    assert publish_rest(database, registry, KEPT, material(rest)) == LISTENERS
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
    monkeypatch: pytest.MonkeyPatch,
    up_to_now: bool,
    served: int,
) -> None:
    promote(registry, 0)
    topic = OffsetWindow("listens", {0: (0, 10)})
    start = Start(registry, registry.champion(NAME), topic, topic)
    learned = material(model(0).catalogue)
    # In place of Spark.
    monkeypatch.setattr(retraining, "look_up", lambda *_: start)
    monkeypatch.setattr(retraining, "read_tracks", lambda *_: MagicMock())
    monkeypatch.setattr(retraining, "screen", lambda *_, **__: SimpleNamespace(read=10, listens=None))
    monkeypatch.setattr(Material, "read", lambda *_: learned)
    done = retraining.retrain(Keeping(up_to_now), MagicMock(), database, Settings())
    assert done.listeners_served == len(versions(database)) == served


def test_a_champion_that_cannot_be_loaded_is_not_published(
    database: Database[dict[str, Any]], registry: Registry
) -> None:
    promote(registry, 0)
    champion = registry.champion(NAME)
    assert champion is not None
    (champion.folder() / "factors.npy").write_bytes(b"damaged")
    assert publish_rest(database, registry, KEPT, material(model(0).catalogue)) == 0
    assert versions(database) == []


def test_lists_of_listeners_who_are_not_there_any_more_are_deleted_however_many_they_are(
    database: Database[dict[str, Any]], registry: Registry
) -> None:
    """Their names exceed what MongoDB can answer in one document (16 MB)."""
    long_ago = {"generated_at": release.datetime(2025, 1, 1, tzinfo=release.UTC), "items": []}
    for start in range(0, 17_000, 1_000):
        database["recommendations"].insert_many(
            [{"_id": f"{number:01000}"} | long_ago for number in range(start, start + 1_000)]
        )
    learned = material(model(0).catalogue)
    assert publish_rest(database, registry, promote(registry, 0), learned) == LISTENERS
    assert versions(database) == ["recommender/1"] * LISTENERS
