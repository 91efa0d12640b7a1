"""What the models read from MongoDB, through Spark's connector."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TRACKS = "tracks"

PARTITIONER = "com.mongodb.spark.sql.connector.read.partitioner.SamplePartitioner"

TRACK_FIELDS = {
    "title": "string",
    "artist": "string",
    "genre": "string",
    "features": "binary",
    "flags": "array<string>",
    "language": "string",
    "split": "string",
    "year": "int",
    "partition_date": "string",
    "genre_model": "string",
}


def read_tracks(spark: SparkSession, *fields: str) -> DataFrame:
    """Read fields of the integrated dataset.

    Parameters
    ----------
    spark : SparkSession
    *fields : str
        Of :data:`TRACK_FIELDS`; ``_id`` comes as ``track_id``, ``features`` as `segue.tracks.vectors` says.
    """
    # A stated schema saves the connector from sampling the collection, and only these fields travel.
    schema = ", ".join(["_id string", *(f"{field} {TRACK_FIELDS[field]}" for field in fields)])
    source = spark.read.format("mongodb").schema(schema).option("collection", TRACKS)
    # The connector's default asks for no buckets of an empty collection, which the server refuses.
    tracks = source.option("partitioner", PARTITIONER).load()
    # Where the server keeps no collection statistics, the connector reads one partition.
    return tracks.withColumnRenamed("_id", "track_id").repartition(spark.sparkContext.defaultParallelism)


def snapshot(tracks: DataFrame) -> dict[str, str]:
    """Tell what was read: `mongo_tracks` (rows) and `mongo_digest`, the same for the same rows in any order."""
    from pyspark.sql import functions as F  # noqa: N812

    digest = F.bit_xor(F.xxhash64(*sorted(tracks.columns)))
    row = tracks.agg(F.count("*").alias("rows"), digest.alias("digest")).collect()[0]
    return {"mongo_tracks": str(row["rows"]), "mongo_digest": f"{(row['digest'] or 0) & (2**64 - 1):016x}"}
