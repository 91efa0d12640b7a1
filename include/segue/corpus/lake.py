"""Read and replace the Delta tables of the lake."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from segue.corpus.schema import PARTITION, TABLES, columns


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

    def table(self, name: str) -> DeltaTable:
        """Open a table of `schema.TABLES`, making it, or the columns that an older lake lacks, if need be."""
        location = f"{self.uri}/{name}"
        if not DeltaTable.isDeltaTable(self.spark, location):
            builder = DeltaTable.createIfNotExists(self.spark).location(location)
            builder = builder.addColumns(StructType.fromDDL(TABLES[name]))  # type: ignore[arg-type] # its type is too wide
            (builder if name == "inventory" else builder.partitionedBy(PARTITION)).execute()
        table = DeltaTable.forPath(self.spark, location)
        there = table.toDF().columns
        absent = [column for column in TABLES[name].split(", ") if column.split()[0] not in there]
        if absent:
            self.spark.sql(f"ALTER TABLE delta.`{location}` ADD COLUMNS ({', '.join(absent)})")
            table = DeltaTable.forPath(self.spark, location)
        return table

    def versions(self, *names: str) -> dict[str, int]:
        """Tell the present version of tables: the number of their last commit."""
        return {name: self.table(name).history(1).collect()[0]["version"] for name in names}

    def read(self, name: str) -> DataFrame:
        """Read a table; each action on the result sees the table as it then is."""
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
        self.table(name)
        listed = ", ".join(f"DATE'{day}'" for day in sorted(days))
        (
            rows.select(columns(TABLES[name]))
            .repartition(PARTITION)
            .write.format("delta")
            .mode("overwrite")
            .option("replaceWhere", f"{PARTITION} IN ({listed})")
            .save(f"{self.uri}/{name}")
        )
