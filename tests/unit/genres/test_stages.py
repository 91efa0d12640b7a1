"""The stages that MLlib lacks: what they compute, and that they survive saving."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.linalg import Vectors
from scipy.special import softmax

from segue.genres.stages import FourierFeatures, Squash, Temperature, fit_temperature, fourier


@pytest.mark.parametrize("orthogonal", [False, True])
def test_products_of_fourier_features_are_the_gaussian_kernel(orthogonal):
    rows = np.random.default_rng(0).normal(size=(30, 12))
    mapped = fourier(rows, gamma=0.4, dimension=20_000, seed=1, orthogonal=orthogonal)
    squared = ((rows[:, None] - rows[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(mapped @ mapped.T, np.exp(-0.4 * squared / 12), atol=0.05)


def test_orthogonal_directions_approximate_it_better():
    rows = np.random.default_rng(0).normal(size=(60, 64))
    exact = np.exp(-0.5 * ((rows[:, None] - rows[None]) ** 2).sum(axis=2) / 64)
    error = {}
    for orthogonal in (False, True):
        mapped = [fourier(rows, 0.5, 128, seed, orthogonal) for seed in range(5)]
        error[orthogonal] = np.mean([np.abs(each @ each.T - exact).mean() for each in mapped])
    assert error[True] < error[False]


def test_what_was_saved_without_orthogonal_directions_has_none():
    assert not FourierFeatures(gamma=0.4, dimension=8, seed=3).getOrDefault("orthogonal")


def test_the_optimal_temperature_undoes_a_scale():
    random = np.random.default_rng(0)
    scores = random.normal(size=(5_000, 4)) * 2
    truth = np.array([random.choice(4, p=each) for each in softmax(scores, axis=1)])
    assert fit_temperature(scores, truth) == pytest.approx(1, rel=0.1)
    assert fit_temperature(scores * 7, truth) == pytest.approx(7, rel=0.1)


def test_both_work_in_spark_as_on_paper_and_survive_saving(spark, tmp_path):
    rows = np.random.default_rng(0).normal(size=(5, 3))
    frame = spark.createDataFrame([(i, Vectors.dense(row)) for i, row in enumerate(rows)], ["i", "scaled"])
    stages = [
        Squash(inputCol="scaled", outputCol="bounded"),
        FourierFeatures(inputCol="bounded", outputCol="mapped", gamma=0.4, dimension=8, seed=3, orthogonal=True),
        Temperature(inputCol="mapped", outputCol="shares", temperature=0.5),
    ]
    PipelineModel(stages).write().save((tmp_path / "model").as_uri())
    found = PipelineModel.load((tmp_path / "model").as_uri()).transform(frame).orderBy("i").collect()
    expected = fourier(2 * np.tanh(rows / 2), 0.4, 8, 3, True)
    np.testing.assert_allclose([row.mapped.toArray() for row in found], expected)
    np.testing.assert_allclose([row.shares for row in found], softmax(expected / 0.5, axis=1))
    assert not list(tmp_path.rglob("*.pkl"))
