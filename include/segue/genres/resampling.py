"""Class weights for a classifier of MLlib that takes none: rows repeated by their weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.ml import Estimator
from pyspark.sql import functions as F  # noqa: N812

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CHANCES = 2**20
"""How finely a chance is told from another."""


class Resampled(Estimator[Any]):
    """Fits a classifier on rows that are repeated by their weight. What comes of it is the classifier's own model.

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
    """Repeat each row as often as its weight says; what is left over a whole number is the chance of one more.

    Parameters
    ----------
    tracks : DataFrame
        With ``track_id`` and ``weight``.
    seed : int
        Of the chances, which are a hash of it and ``track_id``: the same whatever the partitions.
    """
    whole = F.floor("weight")
    chance = F.pmod(F.xxhash64("track_id", F.lit(seed)), F.lit(CHANCES)) / CHANCES
    times = whole + (chance < F.col("weight") - whole).cast("int")
    return tracks.withColumn("_copy", F.explode(F.array_repeat(F.lit(0), times.cast("int")))).drop("_copy")
