"""Metrics with probabilities, their intervals, and the paired test."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from segue.connections.model_version import Version
from segue.genres.evaluation import GenreEvaluation, compare
from segue.genres.release import compare_with_rival, resplit_genres

GENRES = ["hymn", "jig", "reel", "waltz"]


def evaluation(strength: float, *, tracks: int = 400, artists: int = 80, seed: int = 0) -> GenreEvaluation:
    """Make predictions; the higher `strength`, the more of them are correct."""
    random = np.random.default_rng(1)
    truth = random.integers(0, len(GENRES), tracks)
    noise = np.random.default_rng(seed).normal(size=(tracks, len(GENRES)))
    scores = noise + strength * np.eye(len(GENRES))[truth]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rows = pd.DataFrame(
        {
            "track_id": [f"t{i:03d}" for i in range(tracks)],
            "genre": np.array(GENRES)[truth],
            "artist": [f"a{i % artists}" for i in range(tracks)],
            "artist_seen": "unseen",
            "language": ["en" if i % 4 else "de" for i in range(tracks)],
        }
    )
    return GenreEvaluation(GENRES, rows, probabilities)


def test_metrics_are_those_of_scikit_learn():
    model = evaluation(1.0)
    found, truth = model.metrics(), model.tracks["genre"]
    answers = np.array(GENRES)[model.probabilities.argmax(axis=1)]
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(truth, answers))
    assert found["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(truth, answers, average="macro"))
    assert found["log_loss"] == pytest.approx(sklearn_metrics.log_loss(truth, model.probabilities))
    top = sklearn_metrics.top_k_accuracy_score(truth, model.probabilities, k=3, labels=GENRES)
    assert found["top_3_accuracy"] == pytest.approx(top)


def test_a_model_that_states_how_often_it_is_right_has_no_calibration_error():
    rows = pd.DataFrame({"track_id": list("abcdefghij"), "genre": ["jig"] * 7 + ["reel"] * 3})
    honest = GenreEvaluation(["jig", "reel"], rows, np.tile([0.7, 0.3], (10, 1)))
    boastful = GenreEvaluation(["jig", "reel"], rows, np.tile([1.0, 0.0], (10, 1)))
    assert honest.metrics()["calibration_error"] == pytest.approx(0, abs=1e-12)
    assert boastful.metrics()["calibration_error"] == pytest.approx(0.3)


def test_intervals_hold_the_figure_and_widen_when_artists_are_few():
    many, few = evaluation(1.0), evaluation(1.0, artists=8)
    low, high = many.intervals()["macro_f1"]
    assert low < many.metrics()["macro_f1"] < high
    few_low, few_high = few.intervals()["macro_f1"]
    assert few_high - few_low != high - low


def test_what_is_clearly_better_is_better_and_chance_is_not():
    good, bad = evaluation(2.0), evaluation(0.5)
    difference = compare(good, bad)
    assert difference.better
    assert difference.low > 0
    assert difference.mcnemar < 0.001
    assert not compare(bad, good).better
    assert not compare(good, good).better
    again = [compare(evaluation(1.0, seed=i), evaluation(1.0, seed=1000 + i)).better for i in range(40)]
    assert sum(again) <= 6  # 5 % of 40 is expected; the seeds are fixed


def test_the_smaller_the_error_the_lower_the_bound():
    good, bad = evaluation(2.0), evaluation(1.0, seed=1)
    bounds = [compare(good, bad, error=error).low for error in (0.05, 0.02, 0.009, 1e-4)]
    assert bounds == sorted(bounds, reverse=True)
    assert len(set(bounds)) == 4
    assert abs(bounds[2] - bounds[1]) < 0.05, "the normal distribution goes on where the samples end"


def test_a_champion_that_knows_none_of_the_genres_is_wrong_everywhere():
    model = evaluation(1.0)
    lost = GenreEvaluation(GENRES, model.tracks, np.zeros_like(model.probabilities))
    assert lost.metrics()["accuracy"] == 0
    assert compare(model, lost).better


def test_what_the_champion_may_have_learned_from_does_not_count_for_it():
    challenger, champion = evaluation(2.0), evaluation(1.5, seed=1)
    probabilities = champion.probabilities.copy()
    probabilities[champion.truth == 0] = np.eye(len(GENRES))[0]  # it knows the hymns by heart
    by_heart = GenreEvaluation(GENRES, champion.tracks, probabilities)
    difference, reason = compare_with_rival(challenger, by_heart, "champion genre/1", {"hymn"}, 0)
    assert difference == compare_with_rival(challenger, champion, "champion genre/1", {"hymn"}, 0)[0]
    assert compare(challenger, by_heart).mean < difference.mean
    rest = (challenger.truth != 0).sum()
    assert (
        f"on {rest} test tracks (without hymn, which were divided differently when it was trained): better"
        in reason
    )


@pytest.mark.parametrize(
    ("then", "now", "moved"),
    [
        ([], [], set()),
        (["hymn"], ["hymn"], set()),
        ([], ["hymn"], {"hymn"}),
        (["hymn", "jig"], ["jig"], {"hymn"}),
        ([], ["polka"], set()),  # which the champion does not know
    ],
)
def test_genres_whose_division_changed_since_the_champion_learned_are_named(then, now, moved):
    tags = {"genres": json.dumps(GENRES), "split_by_track": json.dumps(then)}
    champion = Version("genre", 1, "file:/nowhere", {}, tags, datetime.now(UTC))
    data: Any = SimpleNamespace(split_by_track=now, genres=[*GENRES, "polka"])
    assert resplit_genres(champion, data) == moved


def test_slices_add_up():
    slices = evaluation(1.0).by_slice()
    assert set(slices) == {"language", "artist_seen"}
    assert {name: each["tracks"] for name, each in slices["language"].items()} == {"de": 100, "en": 300}


def test_confusion_has_true_genres_in_rows():
    model = evaluation(0.5)
    expected = sklearn_metrics.confusion_matrix(
        model.tracks["genre"], np.array(GENRES)[model.predicted], labels=GENRES
    )
    np.testing.assert_array_equal(model.confusion.counts, expected)
