"""The gate of the genre model: what is promoted, what is kept, and what a damaged champion does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue.errors import TrainingError
from segue.models import genre, genre_release
from segue.models.registry import Registry
from segue.settings import Settings

SCHEMA = "track_id string, artist string, genre string, features array<double>, flags array<string>"
CLASSIFIER = "logistic regression, regParam=0.1"


@pytest.fixture
def parameters(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Leave one candidate, whose parameters the test can change."""
    chosen, candidates = {"maxIter": 50}, genre.candidates

    def one(seed: int) -> dict[str, Any]:
        return {CLASSIFIER: candidates(seed)[CLASSIFIER].setParams(**chosen)}

    monkeypatch.setattr(genre, "candidates", one)
    return chosen


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(Settings(home=tmp_path))


def corpus(spark: Any) -> Any:
    random = np.random.default_rng(0)
    rows = [
        (f"{name}-{i}", f"{name} {i % 15}", name, (random.normal(size=6) + shift).tolist(), [])
        for name, shift in (("jig", 0.0), ("reel", 3.0))
        for i in range(60)
    ]
    return spark.createDataFrame(rows, SCHEMA).cache()


def test_only_what_is_no_worse_is_promoted_and_a_damaged_champion_stands_in_nobodys_way(
    spark: Any, registry: Registry, parameters: dict[str, int]
) -> None:
    tracks = corpus(spark)
    first = genre_release.train(tracks, registry)
    assert (first["decision"], first["model"]) == ("promoted", "genre/1")

    parameters["maxIter"] = 0  # it learns nothing
    second = genre_release.train(tracks, registry)
    assert (second["decision"], second["model"]) == ("kept", "genre/1")

    champion = registry.champion("genre")
    assert champion is not None
    shutil.rmtree(champion.folder() / "stages")
    parameters["maxIter"] = 50
    third = genre_release.train(tracks, registry)
    assert (third["decision"], third["model"]) == ("promoted", "genre/2")
    assert "majority" in third["reason"]


def test_without_a_champion_a_model_that_only_guesses_is_an_error(
    spark: Any, registry: Registry, parameters: dict[str, int]
) -> None:
    parameters["maxIter"] = 0  # it learns nothing
    with pytest.raises(TrainingError, match="no better than guessing"):
        genre_release.train(corpus(spark), registry)
    assert registry.champion("genre") is None
