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
    """Of ALS: number of factors, λ (times a listener's or track's number of plays), α and iterations."""

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
        Plays.
    parameters : Hyperparameters
    seed : int

    Returns
    -------
    Factors
        Of all tracks; a track that nobody played has zeros.
    """
    import pyarrow as pa
    from pyspark.ml.recommendation import ALS

    plays = play_counts.log1p().tocoo()
    columns = {"user": plays.row.astype(np.int32), "item": plays.col.astype(np.int32), "strength": plays.data}
    als = ALS(
        implicitPrefs=True,
        userCol="user",
        itemCol="item",
        ratingCol="strength",
        rank=parameters.rank,
        regParam=parameters.regularization,
        alpha=parameters.alpha,
        maxIter=parameters.iterations,
        numUserBlocks=BLOCKS,
        numItemBlocks=BLOCKS,
        seed=seed,
    )
    with step(f"Fitting ALS with {parameters.rank} factors to {plays.nnz:,} pairs of listener and track"):
        model = als.fit(spark.createDataFrame(pa.table(columns)).repartition(BLOCKS))
        fitted = model.itemFactors.toArrow()
    items = np.zeros((play_counts.shape[1], parameters.rank), dtype=np.float32)
    vectors = fitted.column("features").combine_chunks().flatten().to_numpy()
    items[fitted.column("id").to_numpy()] = vectors.reshape(-1, parameters.rank)
    return Factors(items, parameters.alpha, parameters.regularization)


BLOCKS = 2
"""Blocks of listeners and of tracks: MLlib's units of parallel work."""
