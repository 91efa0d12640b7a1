"""What the models read from MongoDB, through Spark's connector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.connections import mongo
from segue.tracks.collection import COLLECTION, require_form

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TRACKS = COLLECTION

PARTITIONS = 8
"""Of 106,574 tracks with their vectors, each then has 28 MB."""

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
        What is needed and no more, of :data:`TRACK_FIELDS`. ``_id`` comes as ``track_id``, ``features`` as
        `segue.tracks.vectors` says.

    Returns
    -------
    DataFrame
        In `PARTITIONS`. One task reads an embedded server, which would read everything for a range of ids, too.

    Raises
    ------
    CorpusError
        If the collection is of an older form.
    """
    # A stated schema saves the connector from sampling the collection, and only these fields travel.
    schema = ", ".join(["_id string", *(f"{field} {TRACK_FIELDS[field]}" for field in fields)])
    with mongo.client(str(spark.conf.get("spark.mongodb.read.connection.uri"))) as client:
        require_form(client[str(spark.conf.get("spark.mongodb.read.database"))])
    source = spark.read.format("mongodb").schema(schema).option("collection", TRACKS)
    # A task's result goes to Python in one piece: 106,574 vectors in one were too much for a heap of 1 GiB.
    return source.load().withColumnRenamed("_id", "track_id").repartition(PARTITIONS, "track_id")


def snapshot(tracks: DataFrame) -> dict[str, str]:
    """Tell what was read: `mongo_tracks` (rows) and `mongo_digest`, the same for the same rows in any order."""
    from pyspark.sql import functions as sf

    digest = sf.bit_xor(sf.xxhash64(*sorted(tracks.columns)))
    row = tracks.agg(sf.count("*").alias("rows"), digest.alias("digest")).collect()[0]
    return {"mongo_tracks": str(row["rows"]), "mongo_digest": f"{(row['digest'] or 0) & (2**64 - 1):016x}"}
