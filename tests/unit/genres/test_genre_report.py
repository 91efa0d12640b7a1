"""The report of a training, and the importance of families in it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from segue.genres import importance, report, training
from segue.genres.search import Budget
from segue.genres.training import SearchOptions

FAMILIES = {"mfcc": [0, 1, 2], "tonnetz": [3, 4, 5]}


@pytest.fixture(scope="module")
def trained(corpus):
    options = SearchOptions(None, "report", Budget(2, 10))
    return training.train(corpus(language="<i>en</i>"), options, families=FAMILIES, say=lambda _: None)


def test_the_family_that_tells_the_genres_apart_is_the_important_one(trained):
    losses = importance.by_family(trained.model, trained.data, seed=0)
    assert list(losses) == ["mfcc", "tonnetz"]
    assert losses["mfcc"] > 0.2 > abs(losses["tonnetz"])


def test_the_page_tells_everything_and_escapes_what_the_corpus_says(trained):
    importances, links = {"mfcc": 0.4, "tonnetz": 0.0}, {"In Airflow": "http://a/dags/genre_model/runs/r"}
    page = report.page(trained, "Promoted: it is better.", importances, {"Run": "r/1"}, links=links)
    assert 'href="http://a/dags/genre_model/runs/r"' in page
    assert "Promoted: it is better." in page
    headings = ("Challenger, champion and baselines", "By genre", "Confusion", "Search", "Calibration", "Slices")
    for heading in headings:
        assert heading in page
    assert "random forest of scikit-learn" in page
    assert "&lt;i&gt;en&lt;/i&gt;" in page
    assert "<i>en</i>" not in page
    assert re.search(r"Entered the corpus</dt><dd>2026-03-01 to 2026-03-01<", page)
    assert re.search(r"Released</dt><dd>(199\d|2000) to 200\d<", page)
    assert page.count("data:image/png;base64,") >= 6


def test_a_feature_that_never_varies_is_learned_with_and_reported_without_a_gap(corpus):
    # The corpus has one, and here a family that has no other.
    families = {"mfcc": [0, 1, 2], "tonnetz": [3, 4], "zcr": [5]}
    options = SearchOptions(None, "constant", Budget(2, 10))
    found = training.train(corpus(), options, families=families, say=lambda _: None)
    losses = importance.by_family(found.model, found.data, seed=0)
    assert losses["zcr"] == 0
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
    page = report.page(found, "Promoted.", {"mfcc": 0.4}, {})
    assert "genre 499" in page
    assert "Confusion" not in page
