"""What Delta writes is whole. A commit that was cut is named, and the table can be written again."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from segue.connections import delta_log
from segue.corpus.lake import Lake
from segue.corpus.schema import TABLES
from segue.errors import LakeError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration


def test_a_cut_commit_is_named_and_its_rows_can_be_written_again(spark: SparkSession, tmp_path: Path) -> None:
    lake, day = Lake(spark, str(tmp_path)), date(2026, 1, 1)
    name = "rejects"
    empty = spark.createDataFrame([], TABLES[name])
    for _ in range(12):  # more than one checkpoint
        lake.replace(name, empty, [day])
    delta_log.check(str(tmp_path))
    log = tmp_path / name / "_delta_log"
    newest = max(log.glob("*.json"))
    newest.write_bytes(newest.read_bytes()[:-10])
    with pytest.raises(LakeError, match=newest.name):
        delta_log.check(str(tmp_path))
    for file in [*log.glob(f"{newest.stem}*"), *log.glob(f".{newest.stem}*")]:
        file.unlink()
    spark.sql("CLEAR CACHE")
    again = Lake(spark, str(tmp_path))
    again.replace(name, empty, [day])
    delta_log.check(str(tmp_path))
    assert max(log.glob("*.json")) == newest
