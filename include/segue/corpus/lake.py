"""Read and replace the Delta tables of the lake.

Rows of neighbouring days share a file, because thousands of files with a few tracks each would be slow to read.
Delta's log records which days a file holds, so a run of one day opens only the file with that day.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from functools import reduce

from delta.exceptions import (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    MetadataChangedException,
)
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.types import StructType
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from segue.connections import storage
from segue.corpus.schema import PARTITION, TABLES, columns

DAYS_PER_FILE = 64
"""Number of days in a file, if many days are written at once. A day that is written alone has its own file until
the small files are joined."""

ROWS_PER_FILE = 16_384
"""Largest number of rows in a file: about 35 MB of features."""

MANY_FILES = 96
SMALL_FILE_BYTES = 8 * 2**20
"""The small files of a table are joined if it has more than `MANY_FILES` files and their average size is below
`SMALL_FILE_BYTES`. The size of the new files is set in spark_conf.py."""

STATISTICS = "delta.dataSkippingStatsColumns"
"""Delta's property that names the columns whose range Delta records for each file. Only the day is needed, because
queries filter by nothing else."""

CHECKPOINTS = "_checkpoints"
"""Folder of the lake for the checkpoints of running jobs. A job removes its own at its end."""

VACUUM_DAYS = 7

ATTEMPTS = 5
"""Number of attempts of a commit. An attempt fails if another job commits other days of the same file first."""

OVERTAKEN = (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    MetadataChangedException,
)


@dataclass(frozen=True)
class Lake:
    """The tables of one corpus.

    Attributes
    ----------
    spark : SparkSession
    uri : str
        Folder or object-store prefix; each table is a folder in it.
    """

    spark: SparkSession
    uri: str
    _complete: set[str] = field(default_factory=set, repr=False, compare=False)
    _tidy: set[str] = field(default_factory=set, repr=False, compare=False)

    def table(self, name: str) -> DeltaTable:
        """Open a table of `schema.TABLES`. Create it if necessary, and add columns that an older lake lacks."""
        location = f"{self.uri}/{name}"
        if name not in self._complete:
            self._keep_checkpoints()
            self._complete_table(name, location)
            self._complete.add(name)
        return DeltaTable.forPath(self.spark, location)

    def read(self, name: str) -> DataFrame:
        """Read a table. Each action on the result sees the table as it is at that moment."""
        return self.table(name).toDF()

    def replace(self, name: str, rows: DataFrame, days: Collection[date]) -> None:
        """Replace the partitions `days` of a table by `rows`, in one atomic commit.

        Parameters
        ----------
        name : str
            A table of `schema.TABLES`.
        rows : DataFrame
            All rows of these days; a row of another day makes the commit fail.
        days : collection of date
            Not empty.
        """
        listed = ", ".join(f"DATE'{day}'" for day in sorted(days))
        self._save(name, rows, days, {"mode": "overwrite", "replaceWhere": f"{PARTITION} IN ({listed})"})

    def append(self, name: str, rows: DataFrame, days: Collection[date]) -> None:
        """Add rows to the partitions `days` of a table, in one atomic commit that rewrites nothing.

        Parameters
        ----------
        name : str
            A table of `schema.TABLES`.
        rows : DataFrame
            Rows of these days that the table does not have yet.
        days : collection of date
            Not empty.
        """
        self._save(name, rows, days, {"mode": "append"})

    def upsert(self, name: str, rows: DataFrame) -> None:
        """Replace the rows of some tracks in a table, or add them, in one atomic commit.

        Parameters
        ----------
        name : str
            A table of `schema.TABLES`.
        rows : DataFrame
            All columns of the table; at most one row for each track id.
        """
        if not rows.isEmpty():
            merge = self.table(name).alias("then").merge(rows.alias("now"), "then.track_id = now.track_id")
            _retrying()(merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute)

    def _save(self, name: str, rows: DataFrame, days: Collection[date], how: dict[str, str]) -> None:
        if name not in self._tidy:
            self._tidy_up(name)
            self._tidy.add(name)
        writer = _writer(rows.select(columns(TABLES[name])), days)
        _retrying()(writer.save, f"{self.uri}/{name}", **how)

    def _tidy_up(self, name: str) -> None:
        """Rewrite a table of an older lake, or join small files. A job checks this once, since it is slow."""
        state = self.table(name).detail().collect()[0]
        if state["partitionColumns"]:
            self._leave_folders(name)
        elif state["numFiles"] > MANY_FILES and state["sizeInBytes"] < state["numFiles"] * SMALL_FILE_BYTES:
            self.table(name).optimize().executeCompaction()

    def vacuum(self) -> None:
        """Delete the files that no version of the last seven days needs, and checkpoints of killed jobs."""
        for name in TABLES:
            self.table(name).vacuum()
        storage.remove_older(f"{self.uri}/{CHECKPOINTS}", VACUUM_DAYS)

    def _keep_checkpoints(self) -> None:
        """Keep checkpoints beside the tables, where the loss of a machine does not take them away."""
        context, folder = self.spark.sparkContext, f"{self.uri}/{CHECKPOINTS}"
        if folder not in (context.getCheckpointDir() or ""):
            context.setCheckpointDir(folder)

    def _complete_table(self, name: str, location: str) -> None:
        if not DeltaTable.isDeltaTable(self.spark, location):
            builder = DeltaTable.createIfNotExists(self.spark).location(location)
            builder = builder.addColumns(StructType.fromDDL(TABLES[name]))  # type: ignore[arg-type] # its type is too wide
            builder.property(STATISTICS, PARTITION).execute()
        there = DeltaTable.forPath(self.spark, location).toDF().columns
        absent = [column for column in TABLES[name].split(", ") if column.split()[0] not in there]
        if absent:
            self.spark.sql(f"ALTER TABLE delta.`{location}` ADD COLUMNS ({', '.join(absent)})")

    def _leave_folders(self, name: str) -> None:
        """Rewrite a table of an older lake, which has a folder for each day. Use one commit."""
        rows = self.read(name)
        days = [row[0] for row in rows.select(PARTITION).distinct().collect()]
        _writer(rows, days).save(f"{self.uri}/{name}", mode="overwrite", overwriteSchema="true")


def _retrying() -> Retrying:
    return Retrying(retry=retry_if_exception_type(OVERTAKEN), stop=stop_after_attempt(ATTEMPTS), reraise=True)


def _writer(rows: DataFrame, days: Collection[date]) -> DataFrameWriter:
    """Return a writer that puts the rows of neighbouring days into the same file."""
    firsts = sorted(days)[DAYS_PER_FILE::DAYS_PER_FILE]
    later = ((sf.col(PARTITION) >= sf.lit(first)).cast("int") for first in firsts)
    file = reduce(Column.__add__, later, sf.lit(0))
    files = rows.repartitionById(len(firsts) + 1, file)
    return files.write.format("delta").option("maxRecordsPerFile", ROWS_PER_FILE)
