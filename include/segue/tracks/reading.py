"""Read the tracks from MongoDB through Spark's connector, for the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.connections import mongo
from segue.tracks.collection import COLLECTION, require_form

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TRACKS = COLLECTION

PARTITIONS = 8
"""With 106,574 tracks and their vectors, each partition has 28 MB."""

TRACK_FIELDS = {
    "title": "string",
    "artist": "string",
    "genre": "string",
    "features": "binary",
    "flags": "array<string>",
    "recording": "string",
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
        The needed fields: of :data:`TRACK_FIELDS`, or those of a `segue.tracks.sound_vectors.VectorColumn`.
        ``_id`` is returned as ``track_id``, and vectors as described in `segue.tracks.vectors`.

    Returns
    -------
    DataFrame
        It has `PARTITIONS` partitions. An embedded server reads all documents even for a range of ids, so one task
        reads everything from it.

    Raises
    ------
    CorpusError
        If the collection has an older form.
    """
    # With a schema, the connector requests only these fields, and does not sample the collection.
    schema = ", ".join(["_id string", *(f"{field} {_type(field)}" for field in fields)])
    with mongo.database() as database:  # not by Spark's connection string, which lacks what Python needs for TLS
        require_form(database)
    source = spark.read.format("mongodb").schema(schema).option("collection", TRACKS)
    # A task's result goes to Python in one piece. 106,574 vectors in one piece exceeded a heap of 1 GiB.
    return source.load().withColumnRenamed("_id", "track_id").repartition(PARTITIONS, "track_id")


def _type(field: str) -> str:
    return TRACK_FIELDS.get(field) or ("string" if field.endswith("_version") else "binary")


def snapshot(tracks: DataFrame) -> dict[str, str]:
    """Return `mongo_tracks` (number of rows) and `mongo_digest`, which is the same for any order of the rows."""
    from pyspark.sql import functions as sf

    digest = sf.bit_xor(sf.xxhash64(*sorted(tracks.columns)))
    row = tracks.agg(sf.count("*").alias("rows"), digest.alias("digest")).collect()[0]
    return {"mongo_tracks": str(row["rows"]), "mongo_digest": f"{(row['digest'] or 0) & (2**64 - 1):016x}"}
