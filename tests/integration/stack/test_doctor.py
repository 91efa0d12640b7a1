"""A commit that Delta wrote and that was cut short is repaired, and Spark reads and writes the table again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from segue.connections import delta_log
from segue.errors import LakeError
from segue.settings import Settings
from segue.stack import doctor, ports

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration


def append(spark: SparkSession, table: Path, number: int) -> None:
    spark.range(number, number + 1).write.format("delta").mode("append").save(str(table))


def numbers(spark: SparkSession, table: Path) -> list[int]:
    return sorted(row.id for row in spark.read.format("delta").load(str(table)).collect())


def test_a_cut_commit_is_moved_away_and_its_rows_can_be_written_again(spark: SparkSession, tmp_path: Path) -> None:
    for number in range(3):
        append(spark, tmp_path / "written" / "rejects", number)
    # A copy, because Spark remembers the log of the table that it has written.
    settings = Settings(home=tmp_path / "home", corpus="cut", **ports.for_a_stack())
    table = Path(settings.lake_uri) / "rejects"
    shutil.copytree(tmp_path / "written", settings.lake_uri)
    delta_log.check(settings.lake_uri)
    newest = table / "_delta_log" / f"{2:020}.json"
    newest.write_bytes(newest.read_bytes()[:-10])
    with pytest.raises(LakeError, match=newest.name):
        delta_log.check(settings.lake_uri)

    said: list[str] = []
    assert doctor.repair(settings, said.append), said
    assert numbers(spark, table) == [0, 1]
    append(spark, table, 2)
    assert numbers(spark, table) == [0, 1, 2]
    assert newest.exists()
    delta_log.check(settings.lake_uri)
