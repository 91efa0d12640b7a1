"""The search takes other vectors beside the features; the report compares each alone and all together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import functions as sf
from tests.support.registries import new_registry

from segue.errors import TrainingError
from segue.genres import classifiers, release, report, training
from segue.genres.dataset import prepare_dataset
from segue.genres.search import Budget, SearchSpace
from segue.genres.training import SearchOptions, families_of
from segue.tracks.sound_vectors import FEATURES, VectorColumn

FAMILIES = {"mfcc": [0, 1, 2], "tonnetz": [3, 4, 5]}
EMBEDDING = VectorColumn("embedding", "v1", 4)
SMALL = FEATURES._replace(size=6)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the features be six."""
    monkeypatch.setattr(training, "FMA_FAMILIES", FAMILIES)
    for module in (training, release):
        monkeypatch.setattr(module, "FEATURES", SMALL)


@pytest.fixture(scope="module")
def both(corpus: Any) -> Any:
    """Tracks whose features tell the genres apart badly, and whose embedding does it well."""

    tracks, random = corpus(0.7), np.random.default_rng(4)
    ids = sorted(row.track_id for row in tracks.select("track_id").collect())
    moved = [(track, (random.normal(size=4) + 2.0 * track.startswith("reel")).tolist()) for track in ids]
    embeddings = tracks.sparkSession.createDataFrame(moved, "track_id string, embedding array<double>")
    joined = tracks.join(embeddings, "track_id")
    return joined.withColumn("features", sf.concat("features", "embedding")).drop("embedding").cache()


def options(trials: int = 5) -> SearchOptions:
    return SearchOptions(None, "vectors", Budget(trials, 10))


@pytest.fixture(scope="module")
def trained(both: Any) -> training.Trained:
    families = FAMILIES | {"embedding": [6, 7, 8, 9]}
    return training.train(both, options(), families=families, say=lambda _: None)


def test_each_vector_is_a_selection_and_so_are_all_together() -> None:
    families = families_of((SMALL, EMBEDDING, VectorColumn("other", None, 2)))
    assert families == FAMILIES | {"embedding": [6, 7, 8, 9], "other": [10, 11]}
    sets = classifiers.family_sets(families)
    assert sets["all"] == list(range(12))
    assert (sets["features"], sets["embedding"], sets["other"]) == (list(range(6)), [6, 7, 8, 9], [10, 11])
    assert classifiers.family_sets(FAMILIES) == {"all": list(range(6))}, "as without another vector"
    assert classifiers.family_sets(families_of((EMBEDDING,))) == {"all": [0, 1, 2, 3]}
    assert classifiers.family_sets({"others": [0], "mfcc": [1]}) == {"all": [0, 1]}, "of a table of features"
    assert families_of((EMBEDDING, SMALL))["mfcc"] == [4, 5, 6]


def test_a_vector_cannot_have_the_name_of_features() -> None:
    with pytest.raises(TrainingError, match="A vector cannot be called 'mfcc'"):
        families_of((SMALL, VectorColumn("mfcc", None, 2)))


def test_each_vector_alone_is_among_the_first_choices() -> None:
    space = SearchSpace(("logistic", "svm"))
    plain = space.first_choices(["all"])
    found = space.first_choices(["all", "features", "embedding"], ["features", "embedding"])
    assert [each for each in found if each["families"] == "all"] == plain
    assert [each["families"] for each in found[:3]] == ["all", "features", "embedding"]


def test_the_report_compares_each_alone_and_both_together(trained: training.Trained) -> None:
    scores = {name: evaluation.macro_f1 for name, (_, evaluation) in trained.by_vectors.items()}
    assert list(scores) == ["embedding", "features", "all"]
    assert scores["features"] < scores["embedding"]
    chosen = classifiers.vectors_of(trained.choice, trained.data.families)
    assert scores[chosen] == trained.evaluation.macro_f1
    for name, (choice, evaluation) in trained.by_vectors.items():
        assert classifiers.vectors_of(choice, trained.data.families) == name
        assert len(evaluation.tracks) == len(trained.evaluation.tracks)
    page = report.page(trained, "kept", {}, {})
    assert "Each vector alone, and all of them together" in page
    assert f"{scores['features']:.3f}" in page


def test_with_one_vector_nothing_is_compared(corpus: Any) -> None:
    found = training.train(corpus(), options(1), families=FAMILIES, say=lambda _: None)
    assert found.by_vectors == {}
    assert "Each vector alone" not in report.page(found, "kept", {}, {})


def test_a_track_without_one_of_the_vectors_is_left_out(both: Any) -> None:
    lacking = both.withColumn("features", sf.when(~sf.col("track_id").isin("jig-1", "jig-2"), sf.col("features")))
    data = prepare_dataset(lacking, FAMILIES | {"embedding": [6, 7, 8, 9]})
    assert data.rejected == {"without one of the vectors": 2}
    assert data.tracks.count() == 118


def test_a_champion_of_the_features_is_compared_on_the_same_tracks(both: Any, tmp_path: Path) -> None:
    registry, said = new_registry(tmp_path), list[str]()

    def train(tracks: Any, vectors: Any) -> release.ReleaseDecision:
        return release.release(tracks, registry, options(3), vectors=vectors, say=said.append)[1]

    of_features = both.withColumn("features", sf.slice("features", 1, 6))
    assert train(of_features, (SMALL,)).model == "genre/1"
    assert "vectors" not in registry.version("genre", 1).tags
    second = train(both, (SMALL, EMBEDDING))
    assert second.rival == "champion genre/1"
    assert (second.outcome, second.model) == ("promoted", "genre/2")
    assert release.vectors_of(registry.version("genre", 2)) == (SMALL, EMBEDDING)
    third = train(both, (SMALL, EMBEDDING._replace(version="v2")))
    assert third.rival == "guessing"
    assert "genre/2 is not compared: it was trained on vectors that the settings do not name now." in said


def test_positions_of_vectors_within_others() -> None:
    other = VectorColumn("other", None, 2)
    assert release._positions((other, SMALL), (SMALL, EMBEDDING, other)) == [10, 11, *range(6)]
