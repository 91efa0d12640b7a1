"""The table ``listens`` of the lake: one row an event, partitioned by the day of listening (UTC).

Which Kafka offsets it holds stands in the commit that wrote them (Delta's ``userMetadata``): data and offsets
become visible together or not at all, so a run that was killed at any moment is simply run again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from segue.connections.windows import Offsets
from segue.listens.decoding import EVENT

if TYPE_CHECKING:
    from delta.tables import DeltaTable
    from pyspark.sql import Column, DataFrame, Row, SparkSession

TABLE: Final = "listens"
DAY: Final = "listened_on"
SCHEMA: Final = f"{EVENT}, {DAY} date"

_METADATA: Final = "spark.databricks.delta.commitInfo.userMetadata"
_REBUILT: Final = "/rebuilt"
"""Follows a topic's name, in which there is no slash, where offsets are those of rebuilt days only."""
_MANY_DAYS: Final = 366
_VERSIONS_KEPT: Final = timedelta(days=6)
"""`ListensTable.vacuum` removes what is a day older."""


@dataclass(frozen=True)
class ListensTable:
    """The table of one lake.

    Parameters
    ----------
    spark
        The session.
    uri
        Root of the lake.
    """

    spark: SparkSession
    uri: str

    @property
    def location(self) -> str:
        """Where the table is."""
        return f"{self.uri}/{TABLE}"

    def exists(self) -> bool:
        """Tell whether anything has been written yet."""
        from delta.tables import DeltaTable

        return bool(DeltaTable.isDeltaTable(self.spark, self.location))

    def delta(self) -> DeltaTable:
        """Open the table, making it if it does not exist yet; one of an earlier version gets the new columns."""
        from delta.tables import DeltaTable

        if not self.exists():
            schema = self.spark.createDataFrame([], SCHEMA).schema
            builder = DeltaTable.createIfNotExists(self.spark).location(self.location)
            builder.addColumns(schema).partitionedBy(DAY).execute()
        table = DeltaTable.forPath(self.spark, self.location)
        there = set(table.toDF().columns)
        missing = [column for column in SCHEMA.split(", ") if column.split()[0] not in there]
        if missing:
            self.spark.sql(f"ALTER TABLE delta.`{self.location}` ADD COLUMNS ({', '.join(missing)})")
            table = DeltaTable.forPath(self.spark, self.location)
        return table

    def read(self) -> DataFrame:
        """Read the table as it is now."""
        return self.delta().toDF()

    def offsets(self, topic: str) -> Offsets:
        """Read how far the table follows a topic: partition to the next offset; empty if that is not known."""
        if not self.exists():
            return Offsets({})
        commits = self.delta().history().where("userMetadata is not null").orderBy("version", ascending=False)
        for commit in commits.select("userMetadata").toLocalIterator():
            noted = json.loads(commit.userMetadata).get(topic)
            if noted is not None:
                return Offsets(noted)
        return Offsets({})

    def until(self, topic: str, ends: Offsets, now: Offsets) -> tuple[DataFrame, Offsets] | None:
        """Read the newest version that holds nothing of a topic beyond some offsets.

        Parameters
        ----------
        topic, ends
            Partition to the offset after the last that may be in it.
        now
            Where the topic ends by now. A version that has noted more is of a topic that was there before this one
            and holds nothing of this.

        Returns
        -------
        tuple of (DataFrame, Offsets), or None
            The rows, and how far they follow the topic; None if there is no such version any more.
        """
        if not self.exists():
            return None
        found: tuple[Row, Offsets] | None = None
        held: Offsets | None = None
        rebuilt: Offsets | None = None
        commits = (
            self.delta().history().select("version", "timestamp", "userMetadata").orderBy("version").collect()
        )
        for commit in commits:
            noted = json.loads(commit.userMetadata or "{}")
            if topic in noted:
                held, rebuilt = Offsets(noted[topic]), None
            elif topic + _REBUILT in noted:
                rebuilt = Offsets(noted[topic + _REBUILT])
            if not held or (rebuilt and rebuilt.ahead_of(ends) and not rebuilt.ahead_of(now)):
                continue
            if held.ahead_of(now):
                found = commit, Offsets({})
            elif not held.ahead_of(ends):
                found = commit, held
        if found is None:
            return None
        commit, held = found
        if commit.timestamp < datetime.now() - _VERSIONS_KEPT and commit != commits[-1]:
            return None
        return self.spark.read.option("versionAsOf", commit.version).format("delta").load(self.location), held

    def insert_new(self, events: DataFrame, days: Collection[date], topic: str, ends: Mapping[int, int]) -> None:
        """Insert the events that the table has not got, and note the offsets, in one commit.

        Parameters
        ----------
        events
            Rows of `SCHEMA`, each event once.
        days
            The days that occur in them.
        topic, ends
            How far the table follows the topic after this.
        """
        same = "new.event_id = old.event_id AND new.listened_on = old.listened_on"
        if days and len(days) <= _MANY_DAYS:  # so that only these partitions are read
            same += f" AND old.{DAY} IN ({_literals(days)})"
        table = self.delta()  # made before the note: a kill between the two must not leave offsets without rows
        with self._noting(topic, ends):
            table.alias("old").merge(events.alias("new"), same).whenNotMatchedInsertAll().execute()

    def replace(self, events: DataFrame, days: Collection[date], topic: str, ends: Mapping[int, int]) -> None:
        """Replace whole days by `events`, in one commit.

        Up to where the table follows the topic stays as it is: of other days it has no more than before. `ends` is
        up to where `events` do, which is noted too, for :meth:`until`.
        """
        self.delta()
        rows = events.repartition(DAY).write.format("delta").mode("overwrite")
        with self._noting(topic + _REBUILT, ends):
            rows.option("replaceWhere", f"{DAY} IN ({_literals(days)})").save(self.location)

    def remove(self, keys: DataFrame) -> int:
        """Delete what has been taken back.

        Parameters
        ----------
        keys
            ``key`` as `segue.listens.removals` makes it, and ``removed_at``.

        Returns
        -------
        int
            Number of rows deleted.
        """
        doomed = taken_back(self.read(), keys).select("event_id", DAY).distinct().cache()
        count = doomed.count()
        if count:
            same = f"gone.event_id = old.event_id AND gone.{DAY} = old.{DAY}"
            self.delta().alias("old").merge(doomed.alias("gone"), same).whenMatchedDelete().execute()
        doomed.unpersist()
        return count

    def vacuum(self) -> None:
        """Delete files that no version of the last seven days needs: what was taken back is then gone for good."""
        self.delta().vacuum()

    def match(self, matches: DataFrame) -> None:
        """Give the unmatched listens of some names their track.

        Parameters
        ----------
        matches
            ``artist_name``, ``track_name``, ``track_id``, ``matched_by``, ``match_score``; each name once.
        """
        same = "old.track_id IS NULL AND old.artist_name = found.artist_name AND old.track_name = found.track_name"
        given: dict[str, str | Column] = {n: f"found.{n}" for n in ("track_id", "matched_by", "match_score")}
        self.delta().alias("old").merge(matches.alias("found"), same).whenMatchedUpdate(set=given).execute()

    @contextmanager
    def _noting(self, topic: str, ends: Mapping[int, int]) -> Iterator[None]:
        note = json.dumps({topic: {str(partition): end for partition, end in ends.items()}})
        self.spark.conf.set(_METADATA, note)
        try:
            yield
        finally:
            self.spark.conf.unset(_METADATA)


def mark_taken_back(listens: DataFrame, keys: DataFrame) -> DataFrame:
    """Add the column ``taken_back``: whether a listen was received before its removal.

    Parameters
    ----------
    listens
        ``event_id``, ``user_name``, ``listened_at``, ``recording_msid`` and ``received_at``, as in `SCHEMA`.
    keys
        ``key`` as `segue.listens.removals` makes it, each once, and ``removed_at``.
    """
    from pyspark.sql import functions as sf

    user = sf.concat(sf.lit("user:"), sf.sha2(listens["user_name"], 256))
    # A version 1 event has no recording, which Python writes as "None".
    recording = sf.coalesce(listens["recording_msid"], sf.lit("None"))
    listen = sf.concat_ws("/", user, listens["listened_at"].cast("string"), recording)
    event = sf.concat(sf.lit("event:"), listens["event_id"])
    joined = listens
    for i, concerned in enumerate((user, listen, event)):
        noted = keys.select(sf.col("key").alias(f"key_{i}"), sf.col("removed_at").alias(f"removed_{i}"))
        joined = joined.join(noted, noted[f"key_{i}"] == concerned, "left")
    received = sf.coalesce(joined["received_at"], sf.lit(0.0))
    removed = sf.greatest(*(sf.coalesce(f"removed_{i}", sf.lit(-1.0)) for i in range(3)))
    return joined.withColumn("taken_back", received <= removed).select(*listens.columns, "taken_back")


def taken_back(listens: DataFrame, keys: DataFrame) -> DataFrame:
    """Select the listens that were received before their removal; parameters as `mark_taken_back`."""
    return mark_taken_back(listens, keys).where("taken_back").drop("taken_back")


def standing(listens: DataFrame, keys: DataFrame) -> DataFrame:
    """Select the other listens; parameters as `mark_taken_back`."""
    return mark_taken_back(listens, keys).where("not taken_back").drop("taken_back")


def _literals(days: Collection[date]) -> str:
    return ", ".join(f"DATE'{day}'" for day in sorted(days))
