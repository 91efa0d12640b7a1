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

from segue.connections.registry import Version
from segue.genres.judging import Judged, compare
from segue.genres.release import divided_anew, weigh

GENRES = ["hymn", "jig", "reel", "waltz"]


def judged(strength: float, *, tracks: int = 400, artists: int = 80, seed: int = 0) -> Judged:
    """Make answers that are the more right the higher `strength`."""
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
    return Judged(GENRES, rows, probabilities)


def test_metrics_are_those_of_scikit_learn():
    model = judged(1.0)
    found, truth = model.metrics(), model.tracks["genre"]
    answers = np.array(GENRES)[model.probabilities.argmax(axis=1)]
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(truth, answers))
    assert found["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(truth, answers, average="macro"))
    assert found["log_loss"] == pytest.approx(sklearn_metrics.log_loss(truth, model.probabilities))
    top = sklearn_metrics.top_k_accuracy_score(truth, model.probabilities, k=3, labels=GENRES)
    assert found["top_3_accuracy"] == pytest.approx(top)


def test_a_model_that_states_how_often_it_is_right_has_no_calibration_error():
    rows = pd.DataFrame({"track_id": list("abcdefghij"), "genre": ["jig"] * 7 + ["reel"] * 3})
    honest = Judged(["jig", "reel"], rows, np.tile([0.7, 0.3], (10, 1)))
    boastful = Judged(["jig", "reel"], rows, np.tile([1.0, 0.0], (10, 1)))
    assert honest.metrics()["calibration_error"] == pytest.approx(0, abs=1e-12)
    assert boastful.metrics()["calibration_error"] == pytest.approx(0.3)


def test_intervals_hold_the_figure_and_widen_when_artists_are_few():
    many, few = judged(1.0), judged(1.0, artists=8)
    low, high = many.intervals()["macro_f1"]
    assert low < many.metrics()["macro_f1"] < high
    few_low, few_high = few.intervals()["macro_f1"]
    assert few_high - few_low != high - low


def test_what_is_clearly_better_is_better_and_chance_is_not():
    good, bad = judged(2.0), judged(0.5)
    difference = compare(good, bad)
    assert difference.better
    assert difference.low > 0
    assert difference.mcnemar < 0.001
    assert not compare(bad, good).better
    assert not compare(good, good).better
    again = [compare(judged(1.0, seed=i), judged(1.0, seed=1000 + i)).better for i in range(40)]
    assert sum(again) <= 6  # 5 % of 40 is expected; the seeds are fixed


def test_a_champion_that_knows_none_of_the_genres_is_wrong_everywhere():
    model = judged(1.0)
    lost = Judged(GENRES, model.tracks, np.zeros_like(model.probabilities))
    assert lost.metrics()["accuracy"] == 0
    assert compare(model, lost).better


def test_what_the_champion_may_have_learned_from_does_not_count_for_it():
    challenger, champion = judged(2.0), judged(1.5, seed=1)
    probabilities = champion.probabilities.copy()
    probabilities[champion.truth == 0] = np.eye(len(GENRES))[0]  # it knows the hymns by heart
    by_heart = Judged(GENRES, champion.tracks, probabilities)
    difference, reason = weigh(challenger, by_heart, "champion genre/1", {"hymn"}, 0)
    assert difference == weigh(challenger, champion, "champion genre/1", {"hymn"}, 0)[0]
    assert compare(challenger, by_heart).mean < difference.mean
    rest = (challenger.truth != 0).sum()
    assert f"on {rest} test tracks, without hymn, divided anew since it learned: better" in reason


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
    assert divided_anew(champion, data) == moved


def test_slices_add_up():
    slices = judged(1.0).by_slice()
    assert set(slices) == {"language", "artist_seen"}
    assert {name: each["tracks"] for name, each in slices["language"].items()} == {"de": 100, "en": 300}
