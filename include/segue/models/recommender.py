"""The recommender: implicit-feedback ALS on how often each listener played each track.

The data's way: listens → play counts → factors (Spark MLlib) → the top of the catalogue for every listener. A
play count r gives the confidence 1 + alpha·ln(1 + r) that the listener likes the track (Hu, Koren, Volinsky 2008).
Only tracks that the listener has not played are recommended, and only they count in the evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from segue.errors import TrainingError
from segue.models.evaluation import Ranking, ranking

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import StringIndexerModel
    from pyspark.ml.recommendation import ALSModel
    from pyspark.sql import DataFrame

TOP = 10
"""How many tracks a listener is recommended, and the k of NDCG@k."""

MIN_LISTENERS = 2
MIN_TRACKS = 2


@dataclass(frozen=True)
class Hyperparameters:
    """Of ALS; ``alpha`` is that of the confidence."""

    rank: int = 8
    iterations: int = 10
    regularization: float = 0.3
    alpha: float = 1.0


def play_counts(listens: DataFrame) -> DataFrame:
    """Count plays: columns ``user_name``, ``track_id``, ``plays``."""
    from pyspark.sql import functions as F  # noqa: N812

    return listens.groupBy("user_name", "track_id").agg(F.count("*").alias("plays"))


def split_by_time(listens: DataFrame, *, later_share: float) -> tuple[DataFrame, DataFrame, datetime]:
    """Divide at one point in time for all listeners, as a recommender meets the world.

    Returns
    -------
    (DataFrame, DataFrame, datetime)
        The earlier and the later listens (about `later_share` of them), and the time that divides them.

    Raises
    ------
    TrainingError
        If all listens have the same time.
    """
    from pyspark.sql import functions as F  # noqa: N812

    [row] = listens.agg(
        F.percentile("listened_at", F.lit(1 - later_share)).alias("cutoff"), F.min("listened_at").alias("first")
    ).collect()
    if row.cutoff is None or row.cutoff <= row.first:
        raise TrainingError("The listens do not differ in time, so there are no later ones to evaluate on.")
    cutoff = F.lit(row.cutoff)
    earlier, later = listens.where(F.col("listened_at") < cutoff), listens.where(F.col("listened_at") >= cutoff)
    return earlier, later, datetime.fromtimestamp(row.cutoff, UTC)


def fit(counts: DataFrame, parameters: Hyperparameters, *, seed: int = 0) -> PipelineModel:
    """Fit ALS on play counts.

    Returns
    -------
    PipelineModel
        Indexers of listeners and tracks, then the ALS model: one folder holds all that a prediction needs.

    Raises
    ------
    TrainingError
        If there are fewer than two listeners or two tracks.
    """
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import StringIndexer
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import functions as F  # noqa: N812

    [have] = counts.agg(
        F.count_distinct("user_name").alias("listeners"), F.count_distinct("track_id").alias("tracks")
    ).collect()
    if have.listeners < MIN_LISTENERS or have.tracks < MIN_TRACKS:
        raise TrainingError(
            f"There are listens of {have.listeners} listener(s) to {have.tracks} track(s) of the corpus: "
            "a recommender needs at least two of each. Send more listens, or check that their track ids are those "
            "of the published corpus."
        )
    blocks = counts.sparkSession.sparkContext.defaultParallelism
    indexer = StringIndexer(inputCols=["user_name", "track_id"], outputCols=["user", "item"])
    als = ALS(
        implicitPrefs=True,
        userCol="user",
        itemCol="item",
        ratingCol="strength",
        rank=parameters.rank,
        maxIter=parameters.iterations,
        regParam=parameters.regularization,
        alpha=parameters.alpha,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        seed=seed,
    )
    return Pipeline(stages=[indexer, als]).fit(counts.withColumn("strength", F.log1p("plays")))


@dataclass(frozen=True)
class Ranker:
    """Scores every track for a listener as the inner product of two vectors.

    Parameters
    ----------
    listeners : DataFrame
        Columns ``user_name`` and ``factors``, an array of floats of length rank.
    tracks : sequence of str
        Track ids.
    factors : ndarray of float32, shape (n_tracks, rank)
        A row for each of `tracks`.
    """

    listeners: DataFrame
    tracks: Sequence[str]
    factors: NDArray[np.float32]

    @classmethod
    def of(cls, model: PipelineModel) -> Ranker:
        """Take the factors out of a model that :func:`fit` made."""
        from pyspark.ml.feature import IndexToString

        indexer, als = cast("tuple[StringIndexerModel, ALSModel]", model.stages)
        user_names, track_ids = indexer.labelsArray
        named = IndexToString(inputCol="id", outputCol="user_name", labels=list(user_names))
        rows = als.itemFactors.collect()
        return cls(
            named.transform(als.userFactors)
            .select("user_name", "features")
            .withColumnRenamed("features", "factors"),
            [track_ids[row.id] for row in rows],
            np.array([row.features for row in rows], dtype=np.float32),
        )

    @classmethod
    def by_popularity(cls, counts: DataFrame) -> Ranker:
        """Rank for everybody by the number of plays: the baseline."""
        from pyspark.sql import functions as F  # noqa: N812

        rows = counts.groupBy("track_id").agg(F.sum("plays").alias("plays")).collect()
        everybody = counts.select("user_name").distinct().withColumn("factors", F.array(F.lit(1.0)))
        return cls(
            everybody, [row.track_id for row in rows], np.array([[row.plays] for row in rows], dtype=np.float32)
        )

    def top(self, counts: DataFrame, k: int = TOP) -> DataFrame:
        """Recommend to each listener the k tracks of the highest score that they have not played.

        Parameters
        ----------
        counts : DataFrame
            What was played: ``user_name``, ``track_id``.
        k : int
            Length of the lists; shorter for a listener who has played almost everything.

        Returns
        -------
        DataFrame
            ``user_name``, ``track_ids`` (best first) and ``scores``.
        """
        from pyspark.sql import functions as F  # noqa: N812

        played = counts.groupBy("user_name").agg(F.collect_set("track_id").alias("played"))
        tracks, factors = list(self.tracks), self.factors
        position = {track: i for i, track in enumerate(tracks)}

        def rank(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            import pyarrow as pa

            for batch in batches:
                listeners = np.array(batch.column("factors").to_pylist(), dtype=np.float32)
                scores = listeners.reshape(batch.num_rows, -1) @ factors.T
                for row, seen in zip(scores, batch.column("played").to_pylist(), strict=True):
                    row[[position[track] for track in seen or () if track in position]] = -np.inf
                order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
                best = [
                    [i for i in row_order if row[i] > -np.inf]
                    for row, row_order in zip(scores, order, strict=True)
                ]
                yield pa.RecordBatch.from_pydict(
                    {
                        "user_name": batch.column("user_name"),
                        "track_ids": pa.array([[tracks[i] for i in row] for row in best], pa.list_(pa.string())),
                        "scores": pa.array(
                            [[float(row[i]) for i in chosen] for row, chosen in zip(scores, best, strict=True)],
                            pa.list_(pa.float64()),
                        ),
                    }
                )

        return self.listeners.join(played, "user_name", "left").mapInArrow(
            rank, "user_name string, track_ids array<string>, scores array<double>"
        )


def evaluate(ranker: Ranker, before: DataFrame, later: DataFrame, among: DataFrame | None = None) -> Ranking:
    """Judge a ranker by what its listeners played later for the first time.

    Parameters
    ----------
    ranker : Ranker
        Made without the later listens.
    before : DataFrame
        Play counts before; what is in them is neither recommended nor counted as a hit.
    later : DataFrame
        Listens afterwards.
    among : DataFrame, optional
        Column ``user_name``: judge only by these listeners.

    Returns
    -------
    Ranking
        Of the listeners that the ranker knows and that played something new.
    """
    from pyspark.sql import functions as F  # noqa: N812

    new = later.select("user_name", "track_id").distinct().join(before, ["user_name", "track_id"], "left_anti")
    relevant = new.groupBy("user_name").agg(F.collect_set("track_id").alias("relevant"))
    if among is not None:
        relevant = relevant.join(among, "user_name", "left_semi")
    lists = ranker.top(before).withColumnRenamed("track_ids", "recommended").join(relevant, "user_name")
    return ranking(lists, k=TOP, catalogue_size=len(ranker.tracks))
