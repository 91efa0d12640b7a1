"""Write the listens between two offsets from Kafka to the lake. Each event is written once, under its own day."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from segue.connections import kafka, kafka_options, offsets
from segue.connections.windows import OffsetWindow, differ
from segue.listens.decoding import EVENT, decode
from segue.listens.lake_table import DAY, ListensTable, standing
from segue.listens.reports import Held, Ingested
from segue.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def pending(table: ListensTable, settings: Settings) -> OffsetWindow:
    """Find the messages that the table lacks: from the offsets noted in the table to the end of the topic.

    A topic that was deleted and created again is read from its beginning. Such a topic has another id than the one
    noted with the offsets. If no id was noted, a partition is read from its beginning if it ends before the noted
    offset.
    """
    topic = settings.listens_topic
    held = offsets.whole_topic(kafka.config(settings), topic)
    noted = table.offsets(topic)
    if differ(noted.topic_id, held.topic_id):
        return held
    spans = {}
    for partition, (first, end) in held.spans.items():
        start = noted.get(partition, first)
        spans[partition] = (start if first <= start <= end else first, end)
    return replace(held, spans=spans)


def read(spark: SparkSession, settings: Settings, window: OffsetWindow) -> DataFrame:
    """Read a window of a topic, with the columns of `segue.listens.decoding.decode`."""
    messages = (
        spark.read.format("kafka")
        .options(**kafka_options.for_spark(settings))
        .option("assign", json.dumps({window.topic: list(window.spans)}))
        .option("startingOffsets", json.dumps({window.topic: dict(window.starts)}))
        .option("endingOffsets", json.dumps({window.topic: dict(window.ends)}))
        .load()
    )
    return decode(messages)


def events_of(decoded: DataFrame, removed: DataFrame) -> DataFrame:
    """Keep the first message of each event that has not been taken back, and add its day.

    Parameters
    ----------
    decoded
        As `decode` returns them.
    removed
        ``key`` and ``removed_at``.

    Returns
    -------
    DataFrame
        Rows of `segue.listens.lake_table.SCHEMA`.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as sf

    first = Window.partitionBy("event_id").orderBy("partition", "offset")
    counting = standing(decoded.where("error is null"), removed)
    once = counting.withColumn("_nth", sf.row_number().over(first)).where("_nth = 1")
    day = sf.to_date(sf.timestamp_seconds("listened_at")).alias(DAY)
    return once.select(*(field.strip().split(" ")[0] for field in EVENT.split(",")), day)


def bury(decoded: DataFrame, settings: Settings) -> int:
    """Send the messages that are not events to the dead-letter topic; return how many there were."""
    from pyspark.sql import functions as sf

    dead = decoded.where("error is not null")
    count = dead.count()
    if count == 0:
        return 0
    told = {
        "error": sf.col("error"),
        "topic": sf.lit(settings.listens_topic),
        "partition": sf.col("partition").cast("string"),
        "offset": sf.col("offset").cast("string"),
        "failed_at": sf.unix_timestamp().cast("string"),
    }
    headers = [sf.struct(sf.lit(k).alias("key"), v.cast("binary").alias("value")) for k, v in told.items()]
    name = sf.concat_ws("/", sf.lit(settings.listens_topic), "partition", "offset")
    original = sf.struct(sf.lit("key").alias("key"), sf.col("key").alias("value"))
    every = sf.array(*headers)
    letters = dead.select(
        name.cast("binary").alias("key"),
        "value",
        sf.when(sf.col("key").isNull(), every).otherwise(sf.concat(every, sf.array(original))).alias("headers"),
    )
    writer = letters.write.format("kafka").options(**kafka_options.for_spark(settings))
    writer.option("includeHeaders", "true").option("topic", settings.dead_letters_topic).save()
    return count


def ingest(
    spark: SparkSession, settings: Settings, removed: DataFrame, *, rebuild: tuple[date | None, date | None] | None
) -> Ingested:
    """Bring the table up to date with Kafka.

    Parameters
    ----------
    spark
        The session.
    settings
        Where Kafka and the lake are.
    removed
        What users have taken back: ``key``, ``removed_at``.
    rebuild
        If None, only new messages are read. If it is a first and a last day (None: unbounded), these days are
        replaced by what Kafka holds of them. Rows that only the table has are kept, because Kafka may have deleted
        their messages.

    Returns
    -------
    Ingested
    """
    table = ListensTable(spark, settings.lake_uri)
    if rebuild is None:
        window = pending(table, settings)
    else:
        window = offsets.whole_topic(kafka.config(settings), settings.listens_topic)
    if not window.size:
        return Ingested()
    decoded = read(spark, settings, window).cache()
    unreadable = bury(decoded, settings) if rebuild is None else decoded.where("error is not null").count()
    events = events_of(decoded, removed)
    if rebuild is not None:
        events = _with_rest(table, _between(events, *rebuild), *rebuild)
    events = events.cache()
    counts = {row[DAY]: row["count"] for row in events.groupBy(DAY).count().collect()}
    if rebuild is None:
        table.insert_new(events, counts, window.topic, window.ends)
    elif counts:
        table.replace(events, counts, window.topic, window.ends)
    events.unpersist()
    decoded.unpersist()
    return Ingested(
        messages=window.size,
        events=sum(counts.values()),
        unreadable=unreadable,
        days=len(counts),
        offsets={str(partition): f"{start} to {end}" for partition, (start, end) in window.spans.items()},
    )


def _with_rest(table: ListensTable, events: DataFrame, first: date | None, last: date | None) -> DataFrame:
    """Add the rows of the table whose events are not among `events`."""
    if not table.exists():
        return events
    return events.unionByName(_between(table.read(), first, last).join(events, "event_id", "left_anti"))


def figures(table: ListensTable, first: date | None, last: date | None) -> Held:
    """Count the listens of some days, those that have a track, and their listeners.

    Parameters
    ----------
    table
        The listens.
    first, last
        Inclusive; None is unbounded.

    Returns
    -------
    Held
    """
    from pyspark.sql import functions as sf

    held = _between(table.read(), first, last)
    counted = held.agg(
        sf.count("*").alias("listens"),
        sf.count("track_id").alias("matched"),
        sf.count_if("skipped").alias("skipped"),
        sf.count_distinct("user_name").alias("listeners"),
    )
    [row] = counted.collect()
    return Held(days=f"{first or 'first'} to {last or 'last'}", **row.asDict())


def _between(events: DataFrame, first: date | None, last: date | None) -> DataFrame:
    from pyspark.sql import functions as sf

    for bound, keep in ((first, sf.col(DAY) >= sf.lit(first)), (last, sf.col(DAY) <= sf.lit(last))):
        events = events if bound is None else events.where(keep)
    return events
