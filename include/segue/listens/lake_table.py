"""The table ``listens`` of the lake: one row per event, partitioned by the day of listening (UTC).

The table notes the offsets up to which it follows a topic, in two places:

- A property of the table has the present offsets. It is set after the rows are written, even if there was no row
  to write. If a run is killed in between, the next run reads the same messages again, and inserts no event twice.
- Each commit that writes rows from Kafka has the offsets in Delta's ``userMetadata``. These offsets tell which
  messages each version of the table holds. Delta deletes commits after 30 days. The previous version of Segue
  noted the offsets only in the commits.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
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
_PROPERTY: Final = "segue.offsets."
"""Prefix of the topic's name in the name of the property."""
_REBUILT: Final = "/rebuilt"
"""Suffix of the topic's name in the note of a rebuild. Its offsets hold for the rebuilt days only.

The name of a topic has no slash, so the suffix cannot be a part of it.
"""
_MANY_DAYS: Final = 366
_VERSIONS_KEPT: Final = timedelta(days=6)
"""`ListensTable.until` reads versions up to this age. `ListensTable.vacuum` deletes files one day later."""


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
        """Path of the table."""
        return f"{self.uri}/{TABLE}"

    def exists(self) -> bool:
        """Return whether anything has been written yet."""
        from delta.tables import DeltaTable

        return bool(DeltaTable.isDeltaTable(self.spark, self.location))

    def delta(self) -> DeltaTable:
        """Open the table. Create it if it does not exist yet, and add the columns that an older table lacks."""
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
        """Read up to which offsets the table follows a topic: the next one of each partition, empty if unknown."""
        if not self.exists():
            return Offsets({})
        noted = self._property(topic)
        if noted is None:
            commits = self.delta().history().where("userMetadata is not null").orderBy("version", ascending=False)
            notes = (_noted(commit, topic) for commit in commits.select("userMetadata").toLocalIterator())
            noted = next((each for each in notes if each is not None), None)
        return noted or Offsets({})

    def _property(self, topic: str) -> Offsets | None:
        [detail] = self.delta().detail().select("properties").collect()
        stated = detail.properties.get(_PROPERTY + topic)
        return None if stated is None else Offsets.from_json(stated)

    def until(self, topic: str, ends: Offsets, now: Offsets) -> tuple[DataFrame, Offsets] | None:
        """Read the newest version of the table that holds no messages of a topic beyond some offsets.

        Parameters
        ----------
        topic, ends
            The topic, and for each partition the offset after the last one that the version may hold.
        now
            Where the topic ends now. If a version has noted higher offsets than these, or another topic id, it
            follows an earlier topic of the same name. Such a version holds nothing of the present topic.

        Returns
        -------
        tuple of (DataFrame, Offsets), or None
            The rows, and the offsets up to which they follow the topic; None if no such version can be read.
        """
        from pyspark.sql import functions as sf

        if not self.exists():
            return None
        found: tuple[Row, Offsets] | None = None
        rebuilt: Offsets | None = None
        made_at = "unix_timestamp(timestamp) AS made_at"
        commits = (
            self.delta().history().selectExpr("version", made_at, "userMetadata").orderBy("version").collect()
        )
        # Delta may have deleted all commits that note offsets. No later commit has changed the offsets, so the
        # property holds those of all versions that are left.
        held = None if any(_noted(commit, topic) for commit in commits) else self._property(topic)
        for commit in commits:
            if noted := _noted(commit, topic):
                held, rebuilt = noted, None
            elif noted := _noted(commit, topic + _REBUILT):
                rebuilt = noted
            if not held or (rebuilt and rebuilt.ahead_of(ends) and not rebuilt.ahead_of(now)):
                continue
            if held.ahead_of(now):
                found = commit, Offsets({})
            elif not held.ahead_of(ends):
                found = commit, held
        if found is None:
            return None
        commit, held = found
        if commit.made_at < time.time() - _VERSIONS_KEPT.total_seconds() and commit != commits[-1]:
            return None
        rows = self.spark.read.option("versionAsOf", commit.version).format("delta").load(self.location)
        schema = dict(column.split() for column in SCHEMA.split(", "))
        lacks = {name: sf.lit(None).cast(kind) for name, kind in schema.items() if name not in rows.columns}
        return rows.withColumns(lacks) if lacks else rows, held

    def insert_new(self, events: DataFrame, days: Collection[date], topic: str, ends: Offsets) -> None:
        """Insert the events that the table lacks. Then note the offsets, even if there is no event.

        Parameters
        ----------
        events
            Rows of `SCHEMA`, each event once.
        days
            The days that occur in `events`.
        topic, ends
            The topic, and the offsets up to which the table follows it afterwards.
        """
        same = "new.event_id = old.event_id AND new.listened_on = old.listened_on"
        if days and len(days) <= _MANY_DAYS:  # then Delta reads only these partitions
            same += f" AND old.{DAY} IN ({_literals(days)})"
        # The table is opened before the offsets are noted. Otherwise the commit that creates the table would note
        # them, and a kill after this commit would leave offsets without rows.
        table = self.delta()
        with self._noting(topic, ends):
            if days:
                table.alias("old").merge(events.alias("new"), same).whenNotMatchedInsertAll().execute()
            stated = f"'{_PROPERTY}{topic}' = '{ends.to_json()}'"
            self.spark.sql(f"ALTER TABLE delta.`{self.location}` SET TBLPROPERTIES ({stated})")

    def replace(self, events: DataFrame, days: Collection[date], topic: str, ends: Offsets) -> None:
        """Replace whole days by `events`, in one commit.

        The offsets up to which the table follows the topic stay the same, because other days get no new rows. The
        commit also notes `ends`, the offsets up to which `events` follow the topic. Only :meth:`until` reads them.
        """
        self.delta()
        rows = events.repartition(DAY).write.format("delta").mode("overwrite")
        with self._noting(topic + _REBUILT, ends):
            rows.option("replaceWhere", f"{DAY} IN ({_literals(days)})").save(self.location)

    def remove(self, keys: DataFrame) -> int:
        """Delete the listens that have been taken back.

        Parameters
        ----------
        keys
            ``key`` as `segue.listens.removals` derives it, and ``removed_at``.

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
        """Delete files that no version of the last seven days needs. This deletes removed listens for good."""
        self.delta().vacuum()

    def match(self, matches: DataFrame) -> None:
        """Write other tracks into the listens that have the same values in some columns.

        Parameters
        ----------
        matches
            ``new_track_id``, ``new_matched_by``, ``new_match_score``, and the columns in which the listens are the
            same as a row; each row once.
        """
        new = {name: f"new_{name}" for name in ("track_id", "matched_by", "match_score")}
        key = [name for name in matches.columns if name not in new.values()]
        same = " AND ".join(f"old.{name} <=> found.{name}" for name in key)
        given: dict[str, str | Column] = {name: f"found.{column}" for name, column in new.items()}
        self.delta().alias("old").merge(matches.alias("found"), same).whenMatchedUpdate(set=given).execute()

    @contextmanager
    def _noting(self, topic: str, ends: Offsets) -> Iterator[None]:
        self.spark.conf.set(_METADATA, json.dumps({topic: json.loads(ends.to_json())}))
        try:
            yield
        finally:
            self.spark.conf.unset(_METADATA)


def _noted(commit: Row, topic: str) -> Offsets | None:
    """Read the offsets that a commit notes; None if it notes none for the topic."""
    note = json.loads(commit.userMetadata or "{}").get(topic)
    return None if note is None else Offsets.from_json(json.dumps(note))


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
    # An event of version 1 has no recording. Python writes this as "None" in the key.
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
    """Select the listens that were not taken back; parameters as `mark_taken_back`."""
    return mark_taken_back(listens, keys).where("not taken_back").drop("taken_back")


def _literals(days: Collection[date]) -> str:
    return ", ".join(f"DATE'{day}'" for day in sorted(days))
