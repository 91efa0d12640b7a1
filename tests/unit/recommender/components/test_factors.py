from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse

from segue.recommender.components import als as mllib
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.factors import Factors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_fold_in_gives_the_listener_vectors_that_mllib_gives(
    spark: SparkSession, plays: sparse.csr_matrix
) -> None:
    from pyspark.ml.recommendation import ALS

    parameters = Hyperparameters(rank=6, regularization=0.02, alpha=7.0, iterations=4)
    rows = plays.log1p().tocoo()
    frame = spark.createDataFrame(
        list(zip(rows.row.tolist(), rows.col.tolist(), rows.data.tolist(), strict=True)),
        "user int, item int, r float",
    )
    als = ALS(
        implicitPrefs=True, userCol="user", itemCol="item", ratingCol="r",
        rank=6, regParam=0.02, alpha=7.0, maxIter=4, numUserBlocks=2, numItemBlocks=2, seed=3,
    ).fit(frame)  # fmt: skip
    items = np.zeros((plays.shape[1], 6), dtype=np.float32)
    for row in als.itemFactors.collect():
        items[row.id] = row.features
    factors = Factors(items, parameters.alpha, parameters.regularization)
    for row in als.userFactors.collect():
        one = plays[row.id]
        np.testing.assert_allclose(factors.fold_in(one.indices, one.data), row.features, atol=2e-5)


def test_mllib_fit_ranks_what_was_held_out_better_than_chance(
    spark: SparkSession, plays: sparse.csr_matrix
) -> None:
    factors = mllib.fit(spark, plays, Hyperparameters(rank=4, regularization=0.01, alpha=5.0, iterations=5))
    scores = factors.score(plays[:20])
    taste = plays[:20].toarray().reshape(20, -1, 4).sum(axis=1).argmax(axis=1)
    assert (scores.reshape(20, -1, 4).mean(axis=1).argmax(axis=1) == taste).mean() > 0.9


def test_contributions_add_up_to_the_score(plays: sparse.csr_matrix) -> None:
    factors = Factors(np.random.default_rng(0).normal(size=(plays.shape[1], 5)).astype(np.float32), 8.0, 0.05)
    one = plays[3]
    every = np.arange(plays.shape[1])
    added = factors.contributions(one.indices, one.data, every)
    assert added.shape == (one.nnz, plays.shape[1])
    np.testing.assert_allclose(added.sum(axis=0), factors.score(one)[0], atol=1e-5)


def test_fold_in_minimises_the_weighted_squares() -> None:
    random = np.random.default_rng(2)
    items = random.normal(size=(30, 3)).astype(np.float32)
    factors = Factors(items, alpha=4.0, regularization=0.1)
    tracks, plays = np.array([1, 5, 9]), np.array([1, 4, 2], dtype=np.float32)
    wanted = np.zeros(30)
    wanted[tracks] = 1
    confidence = np.ones(30)
    confidence[tracks] += 4.0 * np.log1p(plays)

    def loss(x: np.ndarray) -> float:
        return float((confidence * (wanted - items @ x) ** 2).sum() + 0.1 * 3 * x @ x)

    found = factors.fold_in(tracks, plays)
    nearby = [loss(found + random.normal(scale=0.01, size=3)) for _ in range(50)]
    assert loss(found) < min(nearby)


@pytest.mark.parametrize("tracks", [[], [7]])
def test_listener_of_nothing_that_has_a_factor_gets_zeros(tracks: list[int]) -> None:
    items = np.ones((10, 2), dtype=np.float32)
    items[7] = 0
    factors = Factors(items, 1.0, 0.1)
    vector = factors.fold_in(np.array(tracks, dtype=np.int64), np.ones(len(tracks), dtype=np.float32))
    assert not vector.any()


def test_the_pairs_of_a_large_corpus_are_no_objects_in_the_driver(spark: SparkSession) -> None:
    """Spark keeps a LocalRelation as one object a row, in several copies; 5 million listens took 1.2 GB."""
    import pyarrow as pa

    pairs = pa.table({"user": np.arange(200_000, dtype=np.int32), "item": np.arange(200_000, dtype=np.int32)})
    plan = spark.createDataFrame(pairs)._jdf.queryExecution().logical().toString()
    assert "LocalRelation" not in plan
    assert "LogicalRDD" in plan
