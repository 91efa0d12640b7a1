"""What the models read from MongoDB and write to it, through Spark's connector."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from segue.summaries import database

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TRACKS = "tracks"
RECOMMENDATIONS = "recommendations"

TRACK_FIELDS = {
    "title": "string",
    "artist": "string",
    "genre": "string",
    "features": "array<double>",
    "flags": "array<string>",
}


def read_tracks(spark: SparkSession, *fields: str) -> DataFrame:
    """Read fields of the integrated dataset.

    Parameters
    ----------
    spark : SparkSession
    *fields : str
        Of :data:`TRACK_FIELDS`; ``_id`` comes as ``track_id``.
    """
    # A stated schema saves the connector from sampling the collection, and only these fields travel.
    schema = ", ".join(["_id string", *(f"{field} {TRACK_FIELDS[field]}" for field in fields)])
    tracks = spark.read.format("mongodb").schema(schema).option("collection", TRACKS).load()
    # Where the server keeps no collection statistics, the connector reads one partition.
    return tracks.withColumnRenamed("_id", "track_id").repartition(spark.sparkContext.defaultParallelism)


def publish_recommendations(lists: DataFrame, tracks: DataFrame, *, model: str, at: datetime) -> int:
    """Replace every listener's recommendations, and remove those of listeners that the model does not know.

    Parameters
    ----------
    lists : DataFrame
        ``user_name``, ``track_ids`` (best first), ``scores``.
    tracks : DataFrame
        ``track_id``, ``title``, ``artist``.
    model : str
        Name and version of the model.
    at : datetime
        When they were made.

    Returns
    -------
    int
        Number of listeners.
    """
    from pyspark.sql import functions as F  # noqa: N812

    ranked = lists.select(
        "user_name", F.posexplode(F.arrays_zip("track_ids", "scores")).alias("position", "item")
    ).select(
        "user_name",
        (F.col("position") + 1).alias("rank"),
        "item.scores",
        F.col("item.track_ids").alias("track_id"),
    )
    item = F.struct("rank", "track_id", F.col("scores").alias("score"), "title", "artist")
    documents = (
        ranked.join(F.broadcast(tracks), "track_id")
        .groupBy(F.col("user_name").alias("_id"))
        .agg(F.sort_array(F.collect_list(item)).alias("items"))
        .withColumns({"model_version": F.lit(model), "generated_at": F.lit(at)})
    )
    (
        documents.write.format("mongodb")
        .mode("append")
        .option("collection", RECOMMENDATIONS)
        .option("operationType", "replace")
        .option("idFieldList", "_id")
        .save()
    )
    with database() as documents_now:
        collection = documents_now[RECOMMENDATIONS]
        collection.delete_many({"model_version": {"$ne": model}})
        return collection.count_documents({})
