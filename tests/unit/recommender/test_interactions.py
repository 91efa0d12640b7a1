from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from segue.errors import CorpusError, TrainingError
from segue.recommender.evaluation.windows import at_random, by_time
from segue.recommender.interactions import Interactions, core, read_interactions


def write(folder: Path, text: str, name: str = "plays.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_plays_of_the_same_pair_add_up(tmp_path: Path) -> None:
    data = read_interactions(write(tmp_path, "user,item,plays\na,x,2\nb,y,1\na,x,3\n"))
    assert data.users.tolist() == ["a", "b"]
    assert data.matrix().toarray().tolist() == [[5, 0], [0, 1]]
    assert data.timestamp is None


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_every_kind_of_file_reads_the_same(tmp_path: Path, kind: str) -> None:
    table = pd.DataFrame({"userID": ["1", "2"], "artistID": ["9", "8"], "weight": [3, 4]})
    path = tmp_path / f"plays.{kind}"
    if kind == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    data = read_interactions(path)
    assert data.items.tolist() == ["8", "9"]
    assert data.plays.tolist() == [3, 4]


@pytest.mark.parametrize(
    "times",
    [
        ["1700000000", "1700000060"],
        ["1700000000000", "1700000060000"],
        ["2023-11-14T22:13:20Z", "2023-11-14 22:14:20"],
    ],
)
def test_times_are_seconds_milliseconds_or_iso(tmp_path: Path, times: list[str]) -> None:
    data = read_interactions(write(tmp_path, f"user,item,timestamp\na,x,{times[0]}\na,y,{times[1]}\n"))
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [1_700_000_000, 1_700_000_060]
    assert data.plays.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("user,item,plays\n", "has a header but no rows"),
        ("user,song,plays\na,x,1\n", "has no column item; it has user, song, plays"),
        ("1,2,3\n4,5,6\n", "no column user and no column item"),
        ("user,item,plays\na,x,1\nb,y,often\n", "row 2: plays is 'often', not a number"),
        ("user,item,plays\na,x,-1\n", "row 1: plays must be numbers from 0 up"),
        ("user,item,plays\na,x,inf\n", "row 1: plays must be numbers from 0 up"),
        ("user,item,plays\na,x,0\n", "every row has 0 plays"),
        ("user,item,plays\n,x,1\n", "row 1: the column user is empty"),
        ("user,item,timestamp\na,x,yesterday\n", "row 1: timestamp is 'yesterday', not a time"),
        ("user,track,artist\na,x,y\n", "several columns for item: track, artist"),
    ],
)
def test_a_bad_file_gets_one_clear_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read_interactions(write(tmp_path, text))


def test_an_exact_name_wins_over_a_synonym(tmp_path: Path) -> None:
    data = read_interactions(write(tmp_path, "user,item,artist,plays,count\na,x,y,1,2\n"))
    assert data.items.tolist() == ["x"]
    assert data.plays.tolist() == [1]


@pytest.mark.parametrize("name", ["absent.csv", "plays.xlsx", "broken.parquet"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    if name != "absent.csv":
        write(tmp_path, "not a table", name)
    with pytest.raises(CorpusError, match=name):
        read_interactions(tmp_path / name)


def test_the_core_leaves_nobody_with_less() -> None:
    random = np.random.default_rng(0)
    plays = sparse.random(80, 60, density=0.08, random_state=0, format="coo")
    data = Interactions(
        plays.row, plays.col, random.integers(1, 5, plays.nnz).astype(np.float32), None,
        np.array([f"u{i}" for i in range(80)]), np.array([f"t{i}" for i in range(60)]),
    )  # fmt: skip
    kept = (data.among(*core(data.matrix(), 4)).matrix() > 0).astype(int)
    assert min(kept.sum(axis=0).min(), kept.sum(axis=1).min()) >= 4
    with pytest.raises(CorpusError, match="--min-interactions"):
        core(data.matrix(), 50)


def test_only_what_is_learnt_from_decides_who_is_evaluated() -> None:
    user = np.concatenate([np.repeat(np.arange(18), 20), [18, 19]])  # the last two begin late
    item = np.concatenate([np.tile(np.arange(10), 36), [0, 1]])
    times = np.concatenate([np.tile(np.arange(20.0), 18), [19, 19]])
    names = np.array([f"{i}" for i in range(20)])
    data = Interactions(user, item, np.ones(len(user), np.float32), times, names, names[:10])
    split = by_time(data, min_interactions=5)
    assert split.test.train.shape == split.validation.held_out.shape == (18, 10)
    assert "only the 5-core of what is learnt from" in split.how
    assert by_time(data).test.train.shape == (20, 10)


def test_a_random_split_keeps_the_core_of_what_is_learnt_from(plays: sparse.csr_matrix) -> None:
    split = at_random(plays, seed=1, min_interactions=5)
    learnt_from = split.validation.train > 0
    assert min(learnt_from.sum(axis=0).min(), learnt_from.sum(axis=1).min()) >= 5
    assert split.test.held_out.shape == learnt_from.shape


def test_a_split_by_time_counts_plays_and_divides_none_of_the_same_time() -> None:
    times = np.array([0.0, 1, 1, 1, 3, 4])
    plays = np.array([60, 5, 5, 10, 10, 10], np.float32)
    data = Interactions(np.zeros(6, int), np.arange(6), plays, times, np.array(["u"]), np.arange(6).astype(str))
    split = by_time(data)
    sizes = [part.sum() for part in (split.validation.train, split.validation.held_out, split.test.held_out)]
    assert sizes == [60, 30, 10]


def test_a_split_by_time_hides_the_future() -> None:
    times = np.arange(100, dtype=float)
    user, item = np.zeros(100, dtype=np.int64), np.arange(100)
    data = Interactions(user, item, np.ones(100, np.float32), times, np.array(["u"]), item.astype(str))
    split = by_time(data)
    for window in (split.validation, split.test):
        assert window.train.indices.max() < window.held_out.indices.min()
    assert (split.validation.held_out.nnz, split.test.held_out.nnz) == (20, 10)
    assert split.test.train.nnz == 90
    with pytest.raises(TrainingError, match="do not differ enough in time"):
        by_time(Interactions(user, item, data.plays, np.zeros(100), data.users, data.items))


def test_a_split_at_random_holds_out_a_fifth_of_each_listener(plays: sparse.csr_matrix) -> None:
    split = at_random(plays, seed=1)
    counts, out = np.diff(plays.indptr), np.diff(split.test.held_out.indptr)
    np.testing.assert_array_equal(out, counts // 5)
    assert abs(split.test.train + split.test.held_out - plays).nnz == 0
    assert split.validation.train.multiply(split.test.held_out).nnz == 0
    assert abs(at_random(plays, seed=1).test.held_out - split.test.held_out).nnz == 0
    assert abs(at_random(plays, seed=2).test.held_out - split.test.held_out).nnz > 0


def test_the_last_play_of_each_pair_is_found() -> None:
    day = 86_400.0
    data = Interactions(
        np.array([0, 1, 0, 0, 1]),
        np.array([2, 0, 2, 1, 0]),
        np.ones(5, dtype=np.float32),
        np.array([1, 9, 5, 3, 2]) * day,
        np.array(["a", "b"]),
        np.array(["x", "y", "z"]),
    )
    timeline = data.timeline()
    assert timeline is not None
    assert dict(zip(timeline.last.track.tolist(), timeline.last.age_days.tolist(), strict=True)) == {
        1: 6,
        2: 4,
        0: 0,
    }
    some = data.timeline(np.array([True, False, True, False, False]))
    assert some is not None
    assert (some.last.track.tolist(), some.last.age_days.tolist()) == ([2], [0])
    assert data.timeline(np.zeros(5, dtype=bool)) is None
