"""Class weights for classifiers of MLlib that accept none: rows are repeated according to their weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.ml import Estimator
from pyspark.sql import functions as sf

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CHANCES = 2**20
"""Number of values that the random number of a row can take."""


class Resampled(Estimator[Any]):
    """Fit a classifier on rows that are repeated according to their weight, and return the classifier's model.

    Parameters
    ----------
    classifier : Estimator
    seed : int
        As for `resampled`.
    """

    def __init__(self, classifier: Estimator[Any], *, seed: int) -> None:
        super().__init__()
        self.classifier, self.seed = classifier, seed

    def _fit(self, dataset: DataFrame) -> Any:
        return self.classifier.fit(resampled(dataset, self.seed))


def resampled(tracks: DataFrame, seed: int) -> DataFrame:
    """Repeat each row as often as its weight says.

    The fractional part of a weight is the probability of one more copy. For example, a row of weight 2.3 becomes
    three rows with probability 0.3, and two rows otherwise.

    Parameters
    ----------
    tracks : DataFrame
        With the columns ``track_id`` and ``weight``.
    seed : int
        The random number of a row is a hash of this seed and ``track_id``, so partitions do not change it.

    Returns
    -------
    DataFrame
        With the columns of `tracks`.
    """
    whole = sf.floor("weight")
    chance = sf.pmod(sf.xxhash64("track_id", sf.lit(seed)), sf.lit(CHANCES)) / CHANCES
    times = whole + (chance < sf.col("weight") - whole).cast("int")
    return tracks.withColumn("_copy", sf.explode(sf.array_repeat(sf.lit(0), times.cast("int")))).drop("_copy")
