"""The rows of the inventory in pandas, and the track id and day that each file gets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from segue.corpus.identity import assign_ids
from segue.corpus.listing import AudioFile
from segue.corpus.recognition import Recognised
from segue.corpus.schema import INVENTORY, PARTITION, columns

IN_PANDAS = (
    "path string, track_id string, size_bytes bigint, mtime_ns bigint, first_seen_us bigint, partition_date date,"
    " part string"
)
"""The inventory in pandas. `first_seen_us` is in microseconds since 1970."""


def in_pandas(inventory: DataFrame) -> pd.DataFrame:
    """Read the inventory into pandas.

    Parameters
    ----------
    inventory : DataFrame
        Rows of `schema.INVENTORY`.

    Returns
    -------
    pandas.DataFrame
        Columns of `IN_PANDAS`, with the paths as index, sorted.
    """
    # As numbers, because pandas and Spark understand times without a zone differently.
    first_seen = sf.coalesce(sf.unix_micros("first_seen"), sf.lit(0))
    known = inventory.withColumns({"first_seen_us": first_seen, "part": sf.coalesce("part", sf.lit(""))})
    rows = known.select(columns(IN_PANDAS))
    return rows.toPandas().set_index("path").sort_index()


def in_spark(rows: pd.DataFrame, spark: SparkSession) -> DataFrame:
    """Return rows of `in_pandas` or `assign` with the columns of `schema.INVENTORY`."""
    files = spark.createDataFrame(rows.reset_index(), IN_PANDAS)
    return files.withColumn("first_seen", sf.timestamp_micros("first_seen_us")).select(columns(INVENTORY))


def unchanged(before: pd.DataFrame, files: Mapping[str, AudioFile]) -> pd.DataFrame:
    """Return the rows of `in_pandas` whose file has the same size and modification time as before."""
    rows = zip(before.index, before["size_bytes"], before["mtime_ns"], before["part"], strict=True)
    is_same = [AudioFile(*row) == files.get(row[0]) for row in rows]
    return before[pd.Series(is_same, before.index, dtype=bool)]


def assign(
    files: Collection[AudioFile],
    metadata: pd.DataFrame,
    same: pd.DataFrame,
    recognised: Recognised,
    seen_on: date,
    now: datetime,
) -> pd.DataFrame:
    """Assign each file its track id and its partition.

    Parameters
    ----------
    files : collection of AudioFile
    metadata : pandas.DataFrame
        Rows of `segue.corpus.metadata.Metadata.located`; the track id is blank if the table states none.
    same : pandas.DataFrame
        Rows of the inventory of files that have not changed.
    recognised : Recognised
        The tracks of other files that are known.
    seen_on : date
        The day on which files without a date enter.
    now : datetime

    Returns
    -------
    pandas.DataFrame
        Columns of `IN_PANDAS` with the paths as index, one row for each of `files`, sorted.
    """
    rows = zip(metadata["file"], metadata["track_id"], metadata["date_created"], strict=True)
    described = {path: (track_id, created) for path, track_id, created in rows}
    known = {
        path: (track.track_id, track.partition_date, track.first_seen_us)
        for path, track in recognised.tracks.items()
    }
    known |= dict(
        zip(same.index, same[["track_id", PARTITION, "first_seen_us"]].itertuples(index=False), strict=True)
    )
    ids = assign_ids(
        paths=[file.path for file in files],
        kept={path: track_id for path, (track_id, _, _) in known.items()},
        stated={path: track_id for path, (track_id, _) in described.items() if track_id},
        reserved=recognised.without_file,
    )

    def row(file: AudioFile) -> tuple[Any, ...]:
        _, created = described.get(file.path, ("", None))
        _, day, first_seen_us = known.get(file.path, ("", created or seen_on, int(now.timestamp() * 1e6)))
        return (file.path, ids[file.path], file.size_bytes, file.mtime_ns, first_seen_us, day, file.part)

    return pd.DataFrame(map(row, files), columns=columns(IN_PANDAS)).set_index("path").sort_index()
