from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import Row

from segue.audio.definition import N_FEATURES
from segue.corpus.integrate import measure
from segue.corpus.schema import TRACKS

pytestmark = pytest.mark.integration


def test_vectors_that_are_not_518_finite_numbers_are_counted(spark):
    good = [1.0] * N_FEATURES
    bad = [None, [], good[1:], *([each, *good[1:]] for each in (float("nan"), float("inf"), -float("inf"), None))]
    rows = [Row(track_id=str(each), partition_date=date(2026, 3, 1)) for each in range(len(bad) + 1)]
    vectors = spark.createDataFrame(
        [(row.track_id, vector) for row, vector in zip(rows, [good, *bad], strict=True)],
        "track_id string, features array<float>",
    )
    named = spark.createDataFrame(rows).join(vectors, "track_id")
    empty = spark.createDataFrame([], TRACKS)
    counted = measure(empty.unionByName(named, allowMissingColumns=True))
    assert (counted.tracks, counted.distinct_tracks, counted.bad_vectors) == (8, 8, len(bad))
    assert counted.genre_weights == {}


def test_the_imbalance_of_the_genres_becomes_the_weights_that_a_model_takes(spark):
    genres = ["Reel"] * 30 + ["Jig"] * 10 + [None] * 5
    rows = [(str(i), date(2026, 3, 1), genre, [], []) for i, genre in enumerate(genres)]
    schema = "track_id string, partition_date date, genre string, flags array<string>, changes array<string>"
    tracks = spark.createDataFrame(rows, schema)
    counted = measure(spark.createDataFrame([], TRACKS).unionByName(tracks, allowMissingColumns=True))
    assert counted.genres == {"Reel": 30, "Jig": 10, "(none)": 5}
    assert counted.genre_weights == pytest.approx({"Reel": 2 / 3, "Jig": 2.0})
