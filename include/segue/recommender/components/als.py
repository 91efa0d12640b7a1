"""Fit the factors with Spark MLlib's implicit ALS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from segue.recommender.components.factors import Factors
from segue.runs.progress import step

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Hyperparameters:
    """Parameters of ALS.

    Parameters
    ----------
    rank : int
        Number of factors.
    regularization : float
        λ. For a listener, MLlib multiplies it by the number of their tracks; for a track, by the number of its
        listeners.
    alpha : float
        α: how much a play adds to the confidence.
    iterations : int
    """

    rank: int = 64
    regularization: float = 0.03
    alpha: float = 10.0
    iterations: int = 12


def fit(
    spark: SparkSession, play_counts: sparse.csr_matrix, parameters: Hyperparameters, *, seed: int = 0
) -> Factors:
    """Fit ALS to ``ln(1 + plays)``.

    Parameters
    ----------
    spark : SparkSession
    play_counts : csr_matrix, shape (n_listeners, n_tracks)
    parameters : Hyperparameters
    seed : int
        Seed for the random initial factors.

    Returns
    -------
    Factors
        Factors of all tracks; those of a track that nobody has played are 0.
    """
    import pyarrow as pa
    from pyspark.ml.recommendation import ALS

    strengths = play_counts.log1p().tocoo()
    columns = {
        "user": strengths.row.astype(np.int32, copy=False),
        "item": strengths.col.astype(np.int32, copy=False),
        "strength": strengths.data,
    }
    # MLlib works on the blocks in parallel.
    blocks = max(MIN_BLOCKS, spark.sparkContext.defaultParallelism)
    als = ALS(
        implicitPrefs=True,
        userCol="user",
        itemCol="item",
        ratingCol="strength",
        rank=parameters.rank,
        regParam=parameters.regularization,
        alpha=parameters.alpha,
        maxIter=parameters.iterations,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        seed=seed,
    )
    with step(f"Fitting ALS with {parameters.rank} factors to {strengths.nnz:,} pairs of listener and track"):
        model = als.fit(spark.createDataFrame(pa.table(columns)).repartition(blocks))
        fitted = model.itemFactors.toArrow()
    item_factors = np.zeros((play_counts.shape[1], parameters.rank), dtype=np.float32)
    vectors = fitted.column("features").combine_chunks().flatten().to_numpy()
    item_factors[fitted.column("id").to_numpy()] = vectors.reshape(-1, parameters.rank)
    return Factors(item_factors, parameters.alpha, parameters.regularization)


MIN_BLOCKS = 2
"""Smallest number of blocks of listeners, and of blocks of tracks."""
