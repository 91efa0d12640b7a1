"""The rules that flag outliers: tracks unlike the rest of the corpus. They delete nothing.

`flags` is an array column. Each flag is the text ``<reason>:<detail>``. `segue.corpus.recordings` flags copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as sf

from segue.audio.definition import index

DESCRIPTORS = {
    "rmse": index("rmse", "mean"),
    "zcr": index("zcr", "mean"),
    "mfcc_01": index("mfcc", "mean", 1),
    "spectral_centroid": index("spectral_centroid", "mean"),
    "spectral_bandwidth": index("spectral_bandwidth", "mean"),
}
"""The descriptors by which outliers are found, each with its position in the feature vector. They are means over
time: of loudness, noisiness, level and brightness."""

MAX_ROBUST_Z = 6.0
"""Limit of the robust z-score. Iglewicz and Hoaglin (1993) suggest 3.5 for normal data, but these descriptors have
longer tails."""

MIN_TRACKS = 30
"""If there are fewer tracks, none is flagged as an outlier."""

MAX_ISOLATION = 0.75
"""Limit of the anomaly score of Liu, Ting and Zhou (2008). It is near 1 for a track that few cuts separate from
all others, and about 0.5 for an ordinary track."""

FOREST_TRACKS = 20_000
"""Largest sample that the forest is fitted to. The same corpus always gives the same sample."""

NORMAL_MAD = 0.6745
"""Median absolute deviation of the standard normal distribution."""


def flag(rows: DataFrame, *reasons: Column) -> DataFrame:
    """Add to `flags` each reason that is not null."""
    return rows.withColumn("flags", sf.concat("flags", sf.array_compact(sf.array(*reasons))))


def flag_outliers(rows: DataFrame) -> DataFrame:
    """Flag tracks that sound unlike the rest of the corpus: ``outlier:<descriptor>``.

    The measure is the robust z-score 0.6745 (x - median) / MAD of each of `DESCRIPTORS`, which are columns of
    `rows`.
    """
    middle = _medians(rows, {name: sf.col(name) for name in DESCRIPTORS})
    distance = {name: sf.abs(sf.col(name) - sf.lit(middle[name])) for name in DESCRIPTORS}
    spread = _medians(rows, distance)
    if middle["tracks"] < MIN_TRACKS:
        return rows
    far = {
        name: (NORMAL_MAD / spread[name]) * distance[name] > MAX_ROBUST_Z for name in DESCRIPTORS if spread[name]
    }
    return flag(rows, *(sf.when(where, sf.lit(f"outlier:{name}")) for name, where in far.items()))


def flag_isolated(rows: DataFrame) -> DataFrame:
    """Flag tracks whose descriptors are usual one by one but not together: ``outlier:isolation``.

    An isolation forest (Liu, Ting and Zhou 2008) over `DESCRIPTORS` finds them. Tracks that `flag_outliers` has
    flagged are not flagged again.
    """
    from sklearn.ensemble import IsolationForest

    names = list(DESCRIPTORS)
    sample = rows.select(names).orderBy(sf.xxhash64("track_id")).limit(FOREST_TRACKS).toArrow()
    if sample.num_rows < MIN_TRACKS:
        return rows
    forest = IsolationForest(random_state=0).fit(np.column_stack([sample[name] for name in names]))

    def isolation(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            scores = -forest.score_samples(np.column_stack([batch[name] for name in names]))
            yield pa.RecordBatch.from_arrays([batch["track_id"], pa.array(scores)], ["track_id", "isolation"])

    scored = rows.select("track_id", *names).mapInArrow(isolation, "track_id string, isolation double")
    is_new = ~sf.exists("flags", lambda each: each.startswith("outlier:"))
    is_far = sf.col("isolation") > MAX_ISOLATION
    judged = rows.join(scored, "track_id")
    return flag(judged, sf.when(is_far & is_new, sf.lit("outlier:isolation"))).drop("isolation")


def _medians(rows: DataFrame, values: Mapping[str, Column]) -> Row:
    medians = (sf.median(value).alias(name) for name, value in values.items())
    return rows.agg(sf.count("*").alias("tracks"), *medians).collect()[0]


FLAGS = (flag_outliers, flag_isolated)
"""The rules, in the order in which they run."""
