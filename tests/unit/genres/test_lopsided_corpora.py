"""Corpora that are hard to divide: of one artist, of one genre almost, or with a genre that no track trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.support.registries import new_registry

from segue.genres import dataset, release, training, validation
from segue.genres.search import Budget, SearchSpace, search
from segue.genres.studies import open_study
from segue.genres.training import SearchOptions

SCHEMA = "track_id string, artist string, genre string, features array<double>, flags array<string>, split string"
FAMILIES = {"mfcc": [0, 1, 2], "tonnetz": [3, 4, 5]}


def made(genre: str, count: int, artists: int, moved: float, split: str | None = None) -> list[tuple[Any, ...]]:
    random = np.random.default_rng(count)
    return [
        (
            f"{genre}-{split}-{i}",
            f"{genre if artists > 1 else 'the'} band {i % artists} {split}",
            genre,
            (random.normal(size=6) + moved).tolist(),
            [],
            split,
        )
        for i in range(count)
    ]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(made("jig", 60, 1, 0.0) + made("reel", 60, 1, 3.0), id="a single artist"),
        pytest.param(made("jig", 1_188, 40, 0.0) + made("reel", 12, 3, 3.0), id="one genre holds 99 %"),
    ],
)
def test_a_lopsided_corpus_is_trained_on_and_its_genre_split_by_track(
    spark: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, rows: list[tuple[Any, ...]]
) -> None:
    monkeypatch.setattr(training, "FMA_FAMILIES", FAMILIES)
    tracks = spark.createDataFrame(rows, SCHEMA)
    options = SearchOptions(None, "lopsided", Budget(1, 10))
    trained, decision = release.release(tracks, new_registry(tmp_path), options, say=lambda _: None)
    assert decision.outcome == "promoted"
    assert "reel" in trained.data.split_by_track
    assert trained.evaluation.macro_f1 > 0.7


@pytest.mark.parametrize("kind", ["logistic", "perceptron", "forest", "svc"])
def test_the_last_genre_may_have_no_training_track(spark: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(validation, "MAX_CROSS_VALIDATED_TRACKS", 0)
    rows = []
    for split in ("train", "validation", "test"):
        rows += made("jig", 40, 5, 0.0, split) + made("reel", 40, 5, 3.0, split)
    rows += made("waltz", 20, 5, -3.0, "validation")
    data = dataset.prepare_dataset(spark.createDataFrame(rows, SCHEMA), FAMILIES)
    study = open_study(None, kind, seed=0)
    best = search(data, study, Budget(1, 10), SearchSpace([kind]), say=lambda _: None)
    assert 0.4 < best.value < 0.75  # two of three genres
