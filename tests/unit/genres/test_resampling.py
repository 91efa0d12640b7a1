"""Class weights for the perceptron, which takes none by itself."""

from __future__ import annotations

import pytest

from segue.genres import classifiers
from segue.genres.resampling import Resampled, resampled


@pytest.fixture(scope="module")
def rows(spark):
    made = [(f"jig {i}", "jig", 2.25) for i in range(400)] + [(f"reel {i}", "reel", 0.75) for i in range(1200)]
    return spark.createDataFrame(made, "track_id string, genre string, weight double").cache()


def counts(frame):
    return {row.track_id: row["count"] for row in frame.groupBy("track_id").count().collect()}


def test_rows_are_repeated_by_their_weight_so_that_genres_come_to_the_same(rows):
    found = counts(resampled(rows, 0))
    assert set(found.values()) == {1, 2, 3}
    jigs = [count for track, count in found.items() if track.startswith("jig")]
    assert min(jigs) == 2, "the whole part of a weight is no matter of chance"
    assert sum(jigs) == pytest.approx(900, rel=0.05)
    assert sum(found.values()) - sum(jigs) == pytest.approx(900, rel=0.05)


def test_the_seed_alone_decides_whatever_the_partitions(rows):
    assert counts(resampled(rows, 0)) == counts(resampled(rows.repartition(7), 0))
    assert counts(resampled(rows, 0)) != counts(resampled(rows, 1))


def test_it_is_the_perceptron_that_is_fitted_so(data):
    *_, last = classifiers.pipeline_stages(classifiers.default_choice("perceptron"), data.families, 2, seed=0)
    assert isinstance(last, Resampled)
    assert last.classifier.getLabelCol() == "label"
