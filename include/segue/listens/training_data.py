"""Read the listens that trainings learn from: all up to some offsets, or up to some day.

Listens are read from the lake where possible. The lake keeps listens that Kafka's retention has deleted, and it
has the tracks that listens were matched with later. Kafka has the listens that came since the lake's last run.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from segue.connections.windows import Offsets, OffsetWindow
from segue.errors import TrainingError
from segue.listens import ingestion
from segue.listens.lake_table import DAY, ListensTable
from segue.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

IN_LAKE: Final = -1
"""Partition and offset of a listen from the lake. The lake does not store them."""

_EVENT: Final = ("event_id", "user_name", "track_id", "listened_at", "received_at", "recording_msid", "skipped")
COLUMNS: Final = ("partition", "offset", "arrived_at", "error", *_EVENT)


def read_until(
    spark: SparkSession,
    settings: Settings,
    window: OffsetWindow,
    topic: OffsetWindow,
    *,
    since: Offsets | None = None,
) -> DataFrame:
    """Read all listens up to the ends of a window. A retry reads the same listens.

    Parameters
    ----------
    spark : SparkSession
    settings : Settings
        Where Kafka and the lake are.
    window : OffsetWindow
    topic : OffsetWindow
        All messages that the topic of the window holds now.
    since : Offsets, optional
        First offsets by partition. Listens from these offsets on are read from Kafka even if the lake has them. So
        they have their offsets.

    Returns
    -------
    DataFrame
        `COLUMNS` and ``in_window``; ``arrived_at`` is when Kafka got the message, in seconds since 1970. ``error``
        says why a message is not a listen. The same event may occur more than once, as in Kafka.
    """
    from pyspark.sql import functions as sf

    found = ListensTable(spark, settings.lake_uri).until(window.topic, window.ends, topic.ends)
    in_lake = found[1] if found else Offsets({})
    retained = topic.starts
    spans = {}
    for partition, end in window.ends.items():
        start = min(in_lake.get(partition, 0), (since or Offsets({})).get(partition, end))
        spans[partition] = (min(max(start, retained.get(partition, 0)), end), end)
    messages = ingestion.read(spark, settings, OffsetWindow(window.topic, spans)).select(*COLUMNS)
    if found:
        # Both are used twice. Without the cache, Python would decode the messages twice.
        lake, messages = found[0].select(*_of_lake()).cache(), messages.cache()
        earlier = lake.join(messages.select("event_id"), "event_id", "left_anti")
        matched = lake.select("event_id", sf.col("track_id").alias("matched"))
        track = sf.coalesce("track_id", "matched")
        later = messages.join(matched, "event_id", "left").withColumn("track_id", track).drop("matched")
        messages = earlier.unionByName(later)
    starts = sf.create_map(*(sf.lit(part) for pair in window.starts.items() for part in pair))
    return messages.withColumn(
        "in_window", sf.coalesce(sf.col("offset") >= starts[sf.col("partition")], sf.lit(False))
    )


def read_days(spark: SparkSession, settings: Settings, last: date) -> DataFrame:
    """Read the listens of all days up to one from the lake: the training set as of that day.

    Parameters
    ----------
    spark : SparkSession
    settings : Settings
        Where the lake is.
    last : date
        Day of listening (UTC), inclusive.

    Returns
    -------
    DataFrame
        As `read_until`; each event once.

    Raises
    ------
    TrainingError
        If the lake has no listens of these days.
    """
    from pyspark.sql import functions as sf

    table = ListensTable(spark, settings.lake_uri)
    if not table.exists() or (listens := table.read().where(sf.col(DAY) <= sf.lit(last))).isEmpty():
        raise TrainingError(
            f"The lake has no listens up to {last}. Trigger the DAG `listens`, which takes them from Kafka, or "
            "choose a later day."
        )
    return listens.select(*_of_lake()).withColumn("in_window", sf.lit(True))


def _of_lake() -> list[Column | str]:
    from pyspark.sql import functions as sf

    nowhere = [sf.lit(IN_LAKE).alias("partition"), sf.lit(IN_LAKE).cast("long").alias("offset")]
    return [
        *nowhere,
        sf.lit(None).cast("double").alias("arrived_at"),
        sf.lit(None).cast("string").alias("error"),
        *_EVENT,
    ]
