from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import Row

from segue.corpus import lake as lakes
from segue.corpus.lake import Lake
from segue.corpus.schema import PARTITION, TRACKS, columns
from segue.corpus.versions import versions

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


def tracks(spark, *rows):
    """Rows of the table of tracks, each given as its id and day."""
    named = [Row(track_id=track_id, partition_date=day) for track_id, day in rows]
    empty = spark.createDataFrame([], TRACKS)
    return empty.unionByName(spark.createDataFrame(named), allowMissingColumns=True) if rows else empty


def ids(lake):
    return sorted((row["track_id"], row[PARTITION]) for row in lake.read("tracks").collect())


def test_a_day_is_replaced_as_a_whole_and_its_neighbours_in_the_same_file_stay(spark, tmp_path):
    lake, days = Lake(spark, str(tmp_path)), [date(2026, 3, 1) + timedelta(days=each) for each in range(3)]
    lake.replace("tracks", tracks(spark, *((f"t{day.day}", day) for day in days)), days)
    assert lake.table("tracks").detail().collect()[0]["numFiles"] == 1
    for _ in range(2):
        lake.replace("tracks", tracks(spark, ("new", days[1])), days[1:2])
        assert ids(lake) == [("new", days[1]), ("t1", days[0]), ("t3", days[2])]
    lake.replace("tracks", tracks(spark), days[1:2])
    assert ids(lake) == [("t1", days[0]), ("t3", days[2])]


def test_appended_rows_stand_beside_those_of_their_day_and_no_file_is_rewritten(spark, tmp_path):
    lake, day = Lake(spark, str(tmp_path)), date(2026, 3, 1)
    lake.replace("tracks", tracks(spark, ("old", day)), [day])
    lake.append("tracks", tracks(spark, ("new", day)), [day])
    assert ids(lake) == [("new", day), ("old", day)]
    assert lake.table("tracks").detail().collect()[0]["numFiles"] == 2
    lake.replace("tracks", tracks(spark, ("only", day)), [day])
    assert ids(lake) == [("only", day)]


def test_rows_of_another_day_are_not_written(spark, tmp_path):
    lake, day = Lake(spark, str(tmp_path)), date(2026, 3, 1)
    lake.replace("tracks", tracks(spark, ("t", day)), [day])
    with pytest.raises(Exception, match="REPLACE_WHERE_MISMATCH"):
        lake.replace("tracks", tracks(spark, ("stray", day + timedelta(days=1))), [day])
    assert ids(lake) == [("t", day)]


def test_a_lake_with_a_folder_for_each_day_is_read_and_brought_together_by_the_next_run(spark, tmp_path):
    lake, days = Lake(spark, str(tmp_path)), [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)]
    old = tracks(spark, *((f"t{day.day}", day) for day in days))
    old.write.format("delta").partitionBy(PARTITION).save(f"{tmp_path}/tracks")
    assert ids(lake) == [("t1", days[0]), ("t2", days[1]), ("t3", days[2])]

    lake.replace("tracks", tracks(spark, ("new", days[1])), days[1:2])
    assert ids(lake) == [("new", days[1]), ("t1", days[0]), ("t3", days[2])]
    state = lake.table("tracks").detail().collect()[0]
    assert (state["partitionColumns"], sorted(lake.read("tracks").columns)) == ([], sorted(columns(TRACKS)))


def test_runs_of_different_days_at_the_same_time_both_stay(spark, tmp_path):
    lake, days = Lake(spark, str(tmp_path)), [date(2026, 3, 1) + timedelta(days=each) for each in range(4)]
    lake.replace("tracks", tracks(spark, *((f"old{day.day}", day) for day in days)), days)
    with ThreadPoolExecutor(len(days)) as threads:
        new = [threads.submit(lake.replace, "tracks", tracks(spark, (f"t{day.day}", day)), [day]) for day in days]
        for each in new:
            each.result()
    assert ids(lake) == [(f"t{day.day}", day) for day in days]


def test_many_small_files_are_joined(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(lakes, "MANY_FILES", 3)
    days = [date(2026, 3, 1) + timedelta(days=each) for each in range(6)]
    for number, day in enumerate(days):
        lake = Lake(spark, str(tmp_path))  # that of a job of its own
        write = lake.append if number % 2 else lake.replace
        write("tracks", tracks(spark, (f"t{day.day}", day)), [day])
    assert lake.table("tracks").detail().collect()[0]["numFiles"] <= 4
    assert ids(lake) == [(f"t{day.day}", day) for day in days]


def test_what_runs_have_replaced_is_vacuumed_and_what_stands_is_not(spark, tmp_path):
    def files():
        return {path.name for path in (tmp_path / "tracks").glob("*.parquet")}

    lake, day = Lake(spark, str(tmp_path)), date(2026, 3, 1)
    for name in ("old", "new"):
        lake.replace("tracks", tracks(spark, (name, day)), [day])
    standing = {Path(file).name for file in lake.read("tracks").inputFiles()}
    before, version = files(), versions(lake.uri, "tracks")
    assert standing < before
    lake.vacuum()
    assert files() == before, "of the last seven days"
    assert versions(lake.uri, "tracks") == version, "else no day would stand as published after it"
    at_once = "SET TBLPROPERTIES (delta.deletedFileRetentionDuration = 'interval 0 hours')"
    spark.sql(f"ALTER TABLE delta.`{tmp_path}/tracks` {at_once}")
    lake.vacuum()
    assert files() == standing
    assert ids(lake) == [("new", day)]


def test_versions_are_those_of_deltas_history(spark, tmp_path):
    lake, day = Lake(spark, str(tmp_path)), date(2026, 3, 1)
    assert versions(lake.uri, "tracks") == {"tracks": -1}
    for number in range(12):  # Delta writes a checkpoint at the tenth
        lake.replace("tracks", tracks(spark, (f"t{number}", day)), [day])
    newest = lake.table("tracks").history(1).collect()[0]["version"]
    assert newest > 10
    assert versions(lake.uri, "tracks") == {"tracks": newest}
