"""The gate of the genre model: what is promoted, what is kept, and what a damaged champion does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient
from tests.support.registries import new_registry

from segue.connections.registry import KEPT, Registry
from segue.errors import TrainingError
from segue.genres import release, training
from segue.genres.search import Budget
from segue.genres.training import SearchOptions

FAMILIES = {"mfcc": [0, 1, 2], "tonnetz": [3, 4, 5]}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the vectors have six features."""
    monkeypatch.setattr(training, "FMA_FAMILIES", FAMILIES)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return new_registry(tmp_path)


def options(name: str) -> SearchOptions:
    return SearchOptions(None, name, Budget(1, 10))


def train(tracks: Any, registry: Registry, name: str = "run") -> release.ReleaseDecision:
    _, decision = release.release(
        tracks, registry, options(name), data_versions={"mongo_digest": "d"}, say=lambda _: None
    )
    return decision


def test_only_what_is_better_is_promoted_and_a_damaged_champion_stands_in_nobodys_way(
    corpus: Any, registry: Registry
) -> None:
    tracks = corpus(1.0)
    first = train(tracks, registry)
    assert (first.outcome, first.model) == ("promoted", "genre/1")
    assert "against" in first.page

    second = train(tracks, registry)  # begins with what was best, so it is the same model
    assert (second.outcome, second.model, second.challenger) == ("kept", "genre/1", "genre/2")
    assert "not better beyond chance (at 97.5 % confidence" in second.reason
    tags = registry.version("genre", 2).tags
    assert tags["mongo_digest"] == "d"
    assert json.loads(tags["choice"])["classifier"] == "logistic"

    assert "same tracks" in str(release.reason_not_to_refit(registry, {"mongo_digest": "d"}))
    assert release.reason_not_to_refit(registry, {"mongo_digest": "e"}) is None

    champion = registry.champion("genre")
    assert champion is not None
    shutil.rmtree(champion.folder() / "stages")
    third = train(tracks, registry)
    assert (third.outcome, third.model, third.rival) == ("promoted", "genre/3", "guessing")
    assert registry.rollback("genre").number == 1


def test_each_further_challenger_of_a_champion_gets_a_smaller_part_of_the_error() -> None:
    def version(number: int, **tags: str) -> Any:
        return SimpleNamespace(number=number, tags=tags)

    first, killed = version(4, outcome="promoted", look="3"), version(6)
    assert release._look([killed, first], None) == 1
    assert release._look([killed, first], first) == 1, "what was never judged does not count"
    judged = version(7, outcome="kept", look="2")
    assert release._look([judged, killed, first], first) == 3
    assert release._look([version(7, outcome="kept"), first], first) == 2, "of a version before the tag"


def test_a_crash_before_the_promotion_leaves_the_old_champion_serving(
    corpus: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = registry.register("genre", Path.mkdir, parameters={}, metrics={}, tags={}, report={})
    registry.promote(old)

    def crash(*_: object) -> None:
        raise ConnectionError("the registry went away")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", crash)
        with pytest.raises(ConnectionError):
            train(corpus(), registry)
    assert registry.champion("genre") == old
    assert old.folder().exists()
    assert release.reason_not_to_refit(registry, {"mongo_digest": "d"}) is None, "the retry completes it"
    registry.promote(registry.version("genre", 2))
    assert registry.rollback("genre") == old


def test_old_versions_go_with_their_files_but_not_the_champion(corpus: Any, registry: Registry) -> None:
    made = {"parameters": {}, "metrics": {}, "tags": {}, "report": {}}
    old = [registry.register("genre", Path.mkdir, **made) for _ in range(KEPT + 2)]
    registry.promote(old[0])
    assert train(corpus(), registry).model == f"genre/{KEPT + 3}"
    assert [version.number for version in registry.versions()] == [*range(KEPT + 3, 2, -1), 1]
    assert [version.folder().exists() for version in (old[0], old[2])] == [True, True]
    assert not Path(old[1].location.removeprefix("file:")).parent.exists()


def test_without_a_champion_a_model_that_only_guesses_is_an_error(corpus: Any, registry: Registry) -> None:
    with pytest.raises(TrainingError, match="no better than guessing"):
        train(corpus(0.0), registry)
    assert registry.champion("genre") is None
    assert "no genre model yet" in str(release.reason_not_to_refit(registry, {}))
