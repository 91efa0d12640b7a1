from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from segue.corpus.listing import file_id
from segue.corpus.metadata import COLUMNS, misfit, settle
from segue.errors import CorpusError


def table(*rows):
    return settle(pd.DataFrame(list(rows), dtype=str).fillna(""), date(2026, 3, 1))


def test_rows_get_the_paths_and_ids_of_the_files_that_they_mean():
    stated = table(
        {"track_id": "1", "file": "./A.flac"}, {"track_id": "", "file": "B.FLAC"}, {"track_id": "", "file": "c"}
    )
    rows = stated.located({"a.flac": "f1", "b.flac": "f2"}).rows
    assert rows["file"].tolist() == ["a.flac", "b.flac", "c"]
    assert rows["track_id"].tolist() == ["1", "f2", file_id("c")]
    assert stated.digest == table(*stated.rows.to_dict("records")).digest


def test_of_rows_that_mean_the_same_file_the_exact_one_counts():
    stated = table(
        {"track_id": "1", "file": "A.flac"},
        {"track_id": "2", "file": "a.flac"},
        {"track_id": "3", "file": "./a.flac"},
    )
    located = stated.located({"a.flac": ""})
    assert located.rows["track_id"].tolist() == ["2"]
    assert located.counts["repeated_files"] == 2


def test_a_row_follows_the_track_whose_file_has_moved_unless_the_file_has_a_row_of_its_own():
    stated = table(
        {"track_id": "", "file": "old"}, {"track_id": "t1", "file": "gone"}, {"track_id": "", "file": "x"}
    )
    assert stated.located({"new": file_id("old")}).rows["track_id"].tolist() == [
        file_id("old"),
        "t1",
        file_id("x"),
    ]
    assert stated.located({"new": ""}, gone=["t1"]).rows["track_id"].tolist()[1] == "t1"
    moved = stated.located({"x": "t1"})
    assert dict(zip(moved.rows["file"], moved.rows["track_id"], strict=True)) == {"old": file_id("old"), "x": "t1"}
    assert moved.counts["repeated_track_ids"] == 1


def test_a_table_of_which_no_row_finds_a_file_is_refused_with_names_of_both_sides():
    stated = table(*({"track_id": str(number), "file": f"x{number}.mp3"} for number in range(5)))
    message = r"None of the 5 rows .* 'x0.mp3', 'x1.mp3', 'x2.mp3'; the folder has 'a.mp3', 'b.mp3'\. Write"
    with pytest.raises(CorpusError, match=message):
        stated.located({"b.mp3": "", "a.mp3": ""})


def test_rows_with_a_content_hash_may_have_no_file_of_their_name():
    stated = table({"track_id": "1", "file": "moved.mp3", "content_hash": "ab"})
    assert stated.located({"a.mp3": ""}).rows["track_id"].tolist() == ["1"]


def test_no_table_is_no_misfit():
    empty = settle(pd.DataFrame(columns=list(COLUMNS), dtype=str), date(2026, 3, 1))
    assert empty.located({"a.mp3": ""}).rows.empty
    assert misfit(empty.counts, 10, 0, 0.5) == ""


@pytest.mark.parametrize(
    ("rows", "files", "with_metadata", "warns"),
    [(100, 100, 49, True), (100, 100, 50, False), (106_574, 8_000, 8_000, False), (10, 1_000, 10, False)],
)
def test_a_table_that_fits_neither_way_is_a_warning(rows, files, with_metadata, warns):
    assert bool(misfit({"rows": rows}, files, with_metadata, 0.5)) == warns


def test_a_leap_day_is_a_day_and_one_that_the_calendar_lacks_is_none():
    stated = settle(
        pd.DataFrame(
            {
                "track_id": ["1", "2", "3", "4"],
                "file": ["a", "b", "c", "d"],
                "date_created": ["2024-02-29", "2023-02-29", "2024-03-31T02:30:00+01:00", "2038-01-20"],
            }
        ),
        date(2040, 1, 1),
    )
    assert stated.rows["date_created"].tolist() == [date(2024, 2, 29), None, date(2024, 3, 31), date(2038, 1, 20)]
