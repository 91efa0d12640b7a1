"""The report of a training, and the importance of families in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sklearn.metrics import f1_score

from segue.genres import importance, mistakes, report, training
from segue.genres.importance import Drop
from segue.genres.search import Budget
from segue.genres.training import SearchOptions
from segue.runs.history import Training

FAMILIES = {"mfcc": [0, 1, 2], "tonnetz": [3, 4, 5]}


@pytest.fixture(scope="module")
def trained(corpus):
    options = SearchOptions(None, "report", Budget(2, 10))
    return training.train(corpus(language="<i>en</i>"), options, families=FAMILIES, say=lambda _: None)


def test_the_family_that_tells_the_genres_apart_is_the_important_one(trained):
    drops = importance.by_family(trained.model, trained.data, seed=0)
    assert list(drops) == ["mfcc", "tonnetz"]
    assert drops["mfcc"].mean > 0.2 > abs(drops["tonnetz"].mean)
    assert drops["mfcc"].low > 0
    for drop in drops.values():
        assert drop.low <= drop.mean <= drop.high


def test_macro_f1_of_weighted_tracks_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    labels, guesses = random.integers(0, 5, (2, 300))
    weights = np.vstack([np.ones(300), random.integers(1, 4, 300)])
    found = importance._macro_f1(labels, guesses, weights)
    expected = [f1_score(labels, guesses, average="macro", sample_weight=row) for row in weights]
    assert found == pytest.approx(expected)


def test_the_errors_that_the_model_is_surest_of_come_first(trained):
    n = len(trained.evaluation.tracks)
    genres = list(trained.evaluation.genres)
    probabilities = np.zeros((n, len(genres)))
    probabilities[np.arange(n), trained.evaluation.truth] = 1.0
    for at, sure in ((2, 0.9), (5, 0.99)):
        true = trained.evaluation.truth[at]
        probabilities[at] = (1 - sure) / (len(genres) - 1)
        probabilities[at, (true + 1) % len(genres)], probabilities[at, true] = sure, 0.0
    section = mistakes.section(replace(trained.evaluation, probabilities=probabilities))
    assert [row[0] for row in section.table.rows] == list(trained.evaluation.tracks["track_id"].iloc[[5, 2]])
    assert all(row[2] != row[3] for row in section.table.rows)


def test_the_page_tells_everything_and_escapes_what_the_corpus_says(trained):
    importances = {"mfcc": Drop(0.4, 0.3, 0.5), "tonnetz": Drop(0.0, -0.1, 0.1)}
    around = report.Surroundings({"In Airflow": "http://a/dags/genre_model/runs/r"})
    page = report.page(trained, "Promoted: it is better.", importances, {"Run": "r/1"}, around)
    assert 'href="http://a/dags/genre_model/runs/r"' in page
    assert "Promoted: it is better." in page
    headings = (
        "Challenger, champion and baselines",
        "By genre",
        "Confusion",
        "Search",
        "Calibration",
        "Slices",
        "Intended use",
    )
    for heading in headings:
        assert heading in page
    assert "random forest of scikit-learn" in page
    assert "&lt;i&gt;en&lt;/i&gt;" in page
    assert "<i>en</i>" not in page
    assert re.search(r"Entered the corpus</dt><dd>2026-03-01 to 2026-03-01<", page)
    assert re.search(r"Released</dt><dd>(199\d|2000) to 200\d<", page)
    assert page.count("data:image/png;base64,") >= 6


def test_each_genre_has_its_number_of_training_tracks(trained):
    page = report.page(trained, "Promoted.", {}, {})
    by_genre = page.split("<h2>By genre</h2>")[1].split("</section>")[0]
    for genre, counts in trained.by_genre.items():
        learned = counts["train"] + counts["validation"]
        row = rf"<th[^>]*>{genre}</th>\s*<td[^>]*>{learned}</td>\s*<td[^>]*>{counts['test']}</td>"
        assert re.search(row, by_genre), genre
    assert sum(trained.sizes.values()) == sum(sum(counts.values()) for counts in trained.by_genre.values())


def test_earlier_versions_are_shown_with_their_champions_and_as_a_learning_curve(trained):
    at = datetime(2026, 11, 1, 2, tzinfo=UTC)
    earlier = [
        Training("genre_model/a", "genre/1", at, 0.4, (0.3, 0.5), promoted=True, learned=60),
        Training("genre_model/b", "genre/2", at + timedelta(days=1), 0.35, None, promoted=False, learned=90),
    ]
    page = report.page(trained, "Kept.", {}, {}, report.Surroundings(earlier=earlier))
    section = page.split("<h2>Versions over time</h2>")[1].split("</section>")[0]
    f1 = f"{trained.evaluation.macro_f1:.3f}"
    assert f"1 0.400 (marked), 2 0.350, this one {f1}." in section
    assert "(learning curve): 60 0.400 (marked), 90 0.350, " in section
    assert "Versions over time" not in report.page(trained, "Kept.", {}, {})


def test_errors_link_their_audio_where_airflow_serves_it(trained):
    n, genres = len(trained.evaluation.tracks), len(trained.evaluation.genres)
    wrong = np.eye(genres)[(trained.evaluation.truth + 1) % genres]
    evaluation = replace(trained.evaluation, probabilities=wrong)
    section = mistakes.section(evaluation, "http://airflow/segue/audio/")
    tracks = [row[0] for row in section.table.rows]
    assert len(tracks) == min(n, mistakes.SHOWN)
    assert tracks[0].address == f"http://airflow/segue/audio/{tracks[0].text}"


@pytest.mark.parametrize(("promoted", "better", "said"), [(True, 1, True), (False, 1, False), (True, 0, False)])
def test_a_model_that_is_promoted_below_a_baseline_says_why(trained, promoted, better, said):
    truth = np.eye(len(trained.evaluation.genres))[trained.evaluation.truth]
    worst = np.roll(truth, 1, axis=1)
    rivals = {"champion genre/1": worst, "guessing": worst, "forest": truth if better else worst}
    rivals = {name: replace(trained.evaluation, probabilities=each) for name, each in rivals.items()}
    mixed = np.where(np.arange(len(truth))[:, None] % 2, truth, worst)
    evaluation = replace(trained.evaluation, probabilities=mixed)
    page = report.page(replace(trained, evaluation=evaluation, rivals=rivals), "V.", {}, {}, promoted=promoted)
    assert ("A baseline is better on these test tracks: forest, with macro F1 1.000." in page) == said


def test_a_feature_that_never_varies_is_learned_with_and_reported_without_a_gap(corpus):
    # The corpus has one, and here a family that has no other.
    families = {"mfcc": [0, 1, 2], "tonnetz": [3, 4], "zcr": [5]}
    options = SearchOptions(None, "constant", Budget(2, 10))
    found = training.train(corpus(), options, families=families, say=lambda _: None)
    losses = importance.by_family(found.model, found.data, seed=0)
    assert losses["zcr"] == (0, 0, 0)
    for evaluation in (found.evaluation, *found.rivals.values()):
        assert np.isfinite(evaluation.probabilities).all()
        assert np.isfinite(list(evaluation.metrics().values())).all()
    text = re.sub(r"data:image[^\"]*", "", report.page(found, "Promoted.", losses, {}))
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE)


def test_the_search_has_cost_cpu_time_of_spark_too(trained):
    assert trained.search_cpu_s > 0.5


def test_five_hundred_genres_are_learned_and_reported(spark):
    random = np.random.default_rng(0)
    centres = random.normal(scale=5.0, size=(500, 6))
    rows = [
        (f"t{genre}-{i}", f"band {genre} {i}", f"genre {genre}", (centres[genre] + random.normal(size=6)).tolist())
        for genre in range(500)
        for i in range(10)
    ]
    tracks = spark.createDataFrame(rows, "track_id string, artist string, genre string, features array<double>")
    tracks = tracks.selectExpr("*", "array() flags", "string(null) split")
    options = SearchOptions(None, "many", Budget(1, 10))
    found = training.train(tracks, options, families={"mfcc": [0, 1, 2, 3, 4, 5]}, say=lambda _: None)
    assert len(found.data.genres) == 500
    assert found.evaluation.metrics()["accuracy"] > 10 / 500
    page = report.page(found, "Promoted.", {"mfcc": Drop(0.4, 0.3, 0.5)}, {})
    assert "genre 499" in page
    assert "Confusion" not in page
