"""The fields of the documents in the collection `tracks`, and the digest that shows whether one has changed."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from segue.corpus.days import Days
from segue.corpus.schema import PARTITION
from segue.tracks.collection import FORM, OPTIONAL

FIELDS = (
    "title",
    "artist",
    "album",
    "genre",
    "genres",
    "type",
    "language",
    "split",
    "year",
    "duration_s",
    "path",
    "feature_version",
    "sample_rate",
    "features",
    "flags",
    "recording",
    *OPTIONAL,
)

EMBEDDING = ("embedding", "embedding_version")
"""Fields that a document has only if its track has an embedding."""


def documents(tracks: DataFrame) -> DataFrame:
    """Select the fields of the documents, and add a digest of them.

    Parameters
    ----------
    tracks : DataFrame
        Rows of `schema.TRACKS`.

    Returns
    -------
    DataFrame
        ``_id`` is the track id, `FIELDS` and `EMBEDDING` are as in the lake, `partition_date` is text
        (``YYYY-MM-DD``), and ``digest`` is a hash of all these and of `segue.tracks.collection.FORM`.
    """
    day = sf.date_format(PARTITION, "yyyy-MM-dd").alias(PARTITION)
    version = sf.when(sf.isnotnull("embedding"), sf.col("embedding_version")).alias("embedding_version")
    rows = tracks.select(sf.col("track_id").alias("_id"), *FIELDS, "embedding", version, day)
    # Spark's hash skips nulls. Without `isnull`, the digest would stay the same if a text moved to another column.
    # It need not change for tracks without an embedding.
    return rows.withColumn("digest", sf.xxhash64(sf.lit(FORM), *rows.columns, *map(sf.isnull, FIELDS)))


def within(days: Days) -> dict[str, Any]:
    """Return MongoDB's filter for documents whose partition date is one of these days."""
    span = {
        **({"$gte": days.first.isoformat()} if days.first else {}),
        **({"$lte": days.last.isoformat()} if days.last else {}),
    }
    either: list[dict[str, Any]] = [
        {PARTITION: span} if span else {},
        {PARTITION: {"$in": list(map(str, days.late))}},
    ]
    return {"$or": either} if days.late else either[0]
