from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import Row

from segue.corpus.lake import Lake
from segue.corpus.schema import PARTITION, TRACKS, columns

pytestmark = pytest.mark.integration

VERSION_1 = TRACKS.replace(" split string, year int,", "")


def test_a_lake_of_schema_version_1_goes_on_as_the_present_one(spark, tmp_path):
    lake, days = Lake(spark, str(tmp_path)), [date(2026, 3, 1), date(2026, 3, 2)]
    old = [Row(track_id=f"t{number}", partition_date=day) for number, day in enumerate(days)]
    there = spark.createDataFrame([], VERSION_1).unionByName(spark.createDataFrame(old), allowMissingColumns=True)
    there.write.format("delta").partitionBy(PARTITION).save(f"{tmp_path}/tracks")

    migrated = lake.read("tracks")
    assert sorted(migrated.columns) == sorted(columns(TRACKS))
    assert {row["track_id"]: row["split"] for row in migrated.collect()} == {"t0": None, "t1": None}

    new = spark.createDataFrame([], TRACKS).unionByName(
        spark.createDataFrame([Row(track_id="t9", split="test", partition_date=days[1])]), allowMissingColumns=True
    )
    lake.replace("tracks", new, days[1:])
    assert {row["track_id"]: row["split"] for row in lake.read("tracks").collect()} == {"t0": None, "t9": "test"}
