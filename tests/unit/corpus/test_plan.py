from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from pyspark.sql import functions as sf

from segue.corpus import plan as planning
from segue.corpus.plan import Mode, Wanted, divide, plan
from segue.corpus.schema import FEATURES, INVENTORY, REJECTS, columns

DAY = date(2026, 1, 1)


def listing(sizes, day=DAY):
    files = [(f"t{i}", f"{i:03d}.mp3", size, 1, None, day, None) for i, size in enumerate(sizes)]
    return pd.DataFrame(files, columns=columns(INVENTORY))


def files(sizes, day=DAY, stands=False):
    """Files to extract."""
    return listing(sizes, day).assign(stands=stands)


def test_tasks_get_similar_bytes_whatever_the_number_of_files():
    (commit,) = divide(files([2**20] * 200 + [40 * 2**20, 2**20]), cores=2)
    by_task = commit.groupby("task")["size_bytes"].sum()
    assert by_task.drop(by_task.idxmax()).max() <= 2 * by_task.median()
    assert by_task.max() <= 45 * 2**20
    assert sorted(commit["task"].unique()) == list(range(commit["task"].max() + 1))


def test_a_file_larger_than_the_share_of_a_task_is_a_task_of_its_own():
    (commit,) = divide(files([2**18] * 3 + [40 * 2**20] * 2 + [2**18] * 2), cores=2)
    assert commit["task"].tolist() == [0, 0, 0, 1, 2, 3, 3]


def test_the_tracks_of_a_sheet_share_a_task_of_their_own():
    todo = files([2**18] * 2 + [15 * 2**20] * 3 + [2**18])
    todo.loc[[2, 3, 4], "path"] = ["album.flac#1", "album.flac#2", "album.flac#10"]
    todo.loc[[2, 3, 4], "part"] = "{}"
    (commit,) = divide(todo.sample(frac=1, random_state=0), cores=2)
    assert commit.groupby("task")["path"].apply(set).tolist() == [
        {"000.mp3", "001.mp3", "005.mp3"},
        {"album.flac#1", "album.flac#2", "album.flac#10"},
    ]


def test_work_is_committed_in_pieces_in_the_order_of_days(monkeypatch):
    monkeypatch.setattr(planning, "COMMIT_BYTES", 5)
    todo = pd.concat([files([4] * 4, date(2026, 1, 2)), files([4] * 4, date(2026, 1, 1))])
    commits = divide(todo, cores=2)
    assert [len(commit) for commit in commits] == [3, 2, 3]
    assert pd.concat(commits)["partition_date"].is_monotonic_increasing


def test_more_cores_make_larger_commits_and_not_more_of_them(monkeypatch):
    monkeypatch.setattr(planning, "COMMIT_BYTES", 5)
    assert [len(divide(files([4] * 20), cores=cores)) for cores in (1, 4, 16)] == [16, 4, 1]


def test_files_with_an_earlier_outcome_come_last_so_that_only_their_commits_replace_days(monkeypatch):
    monkeypatch.setattr(planning, "COMMIT_BYTES", 5)
    todo = pd.concat([files([5] * 2, date(2026, 1, 1), stands=True), files([5] * 4, date(2026, 1, 2))])
    commits = divide(todo, cores=2)
    assert [commit["stands"].tolist() for commit in commits] == [[False] * 2, [False] * 2, [True] * 2]


def test_files_without_bytes_are_work_too():
    (commit,) = divide(files([0, 0]), cores=2)
    assert commit["task"].tolist() == [0, 0]


@pytest.fixture
def tables(spark):
    def outcomes(schema, rows):
        filled = [tuple(row.get(name) for name in columns(schema)) for row in rows]
        return spark.createDataFrame(filled, schema)

    state = {"size_bytes": 1, "mtime_ns": 1, "partition_date": DAY, "feature_version": "2"}
    state |= {"content_hash": "h", "reason": "SILENT"}
    features = [{**state, "path": "000.mp3"}, {**state, "path": "001.mp3", "feature_version": "1"}]
    rejects = [{**state, "path": "002.mp3"}, {**state, "path": "003.mp3", "mtime_ns": 9}]
    state |= {"content_hash": None, "reason": "NOT_FOUND"}
    rejects += [{**state, "path": "005.mp3"}, {**state, "path": "006.mp3", "size_bytes": 0}]
    inventory = spark.createDataFrame(listing([1] * 6 + [0]), INVENTORY)
    return inventory, outcomes(FEATURES, features), outcomes(REJECTS, rejects)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        # 0 is done and 2 was rejected; 1 is of an older version, 3 has changed, 4 is new;
        # 5 could not be read, 6 is a link that leads nowhere.
        (Mode.SKIP, ["001.mp3", "003.mp3", "004.mp3", "005.mp3"]),
        (Mode.PING, ["001.mp3", "003.mp3", "004.mp3", "005.mp3"]),
        (Mode.FORCE, [f"00{number}.mp3" for number in range(7)]),
    ],
)
def test_extracts_what_the_mode_asks_for(tables, mode, expected):
    rows = plan(*tables, versions=Wanted("2", None), mode=mode)
    assert rows.count() == 7
    assert sorted(row["path"] for row in rows.where("todo").collect()) == expected


def test_files_without_todays_musical_descriptors_are_extracted_for_them_if_they_are_wanted(tables):
    inventory, features, rejects = tables
    described = features.withColumn("musical_version", sf.when(sf.col("path") == "000.mp3", sf.lit(3)))
    for_musical = ["001.mp3", "003.mp3", "004.mp3", "005.mp3"]
    for version, lacking in ((3, []), (4, ["000.mp3"])):
        rows = plan(inventory, described, rejects, versions=Wanted("2", version), mode=Mode.SKIP)
        assert sorted(row["path"] for row in rows.where("todo").collect()) == sorted([*lacking, *for_musical])
        assert [row["path"] for row in rows.where("has_features").collect()] == lacking
    forced = plan(inventory, described, rejects, versions=Wanted("2", 4), mode=Mode.FORCE)
    assert forced.where("has_features").isEmpty()


def test_files_without_an_embedding_of_the_model_are_extracted_for_it_if_there_is_a_model(tables):
    inventory, features, rejects = tables
    embedded = features.withColumns({"musical_version": sf.lit(3), "embedding_version": sf.lit("aa")})
    for version, lacking in ((None, []), ("aa", []), ("bb", ["000.mp3"])):
        rows = plan(inventory, embedded, rejects, versions=Wanted("2", 3, version), mode=Mode.SKIP)
        assert [row["path"] for row in rows.where("has_features").collect()] == lacking


def test_knows_which_files_have_an_outcome_of_whatever_state_and_version(tables):
    rows = plan(*tables, versions=Wanted("2", None), mode=Mode.SKIP)
    assert sorted(row["path"] for row in rows.where("NOT stands").collect()) == ["004.mp3"]
