from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from segue.corpus.listing import file_id
from segue.corpus.sources.table import MetadataTable
from segue.errors import CorpusError

REPORTED = Path(__file__).parent / "reported"

TODAY = date(2026, 3, 1)


def write(folder, text, encoding="utf-8"):
    path = folder / "metadata.csv"
    path.write_bytes(text.encode(encoding))
    return path


def read(path, columns=None):
    return MetadataTable(path, columns or {}).read(TODAY)


def test_columns_that_are_absent_are_blank(tmp_path):
    rows = read(write(tmp_path, "track_id,file,title\n7,a.mp3,Réel\n")).rows
    assert rows.iloc[0][["track_id", "file", "title", "artist"]].tolist() == ["7", "a.mp3", "Réel", ""]
    assert rows.iloc[0]["date_created"] is None


def test_a_byte_order_mark_and_a_million_characters_are_no_trouble(tmp_path):
    rows = read(write(tmp_path, f"track_id,file,title\n7,a.mp3,{'x' * 10**6}\n", "utf-8-sig")).rows
    assert rows["track_id"].tolist() == ["7"]


def test_of_rows_with_the_same_id_or_file_the_first_counts(tmp_path):
    table = read(write(tmp_path, "track_id,file,title\n1,a.mp3,A\n1,b.mp3,B\n2,a.mp3,C\n3,c.mp3,D\n"))
    assert table.rows["title"].tolist() == ["A", "D"]
    assert table.counts == {"rows": 4, "repeated_track_ids": 1, "repeated_files": 1, "unusable_dates": 0}


def test_a_row_without_id_gets_that_of_its_file(tmp_path):
    assert read(write(tmp_path, "track_id,file\n ,a.mp3\n")).rows["track_id"].tolist() == [file_id("a.mp3")]


def test_dates_that_are_none_or_in_the_future_are_counted_and_left_out(tmp_path):
    days = ["2026-03-01", "2099-01-01", "yesterday", "", "2025-02-30", "1956-07-01 08:00:00", "2025"]
    text = "".join(f"{number},{number},{day}\n" for number, day in enumerate(days))
    table = read(write(tmp_path, f"track_id,file,date_created\n{text}"))
    assert table.rows["date_created"].tolist() == [date(2026, 3, 1), *[None] * 4, date(1956, 7, 1), None]
    assert table.counts["unusable_dates"] == 4


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ("id,name\n1,a\n", "utf-8", "lacks the column track_id and file; it has id, name.*SEGUE_METADATA_COLUMNS"),
        ("track_id,file\n1,é.mp3\n", "latin-1", "is not UTF-8 .*Save it as CSV UTF-8"),
        ("track_id,file\n1,a.mp3\n", "utf-16", "is not UTF-8 .*Save it as CSV UTF-8"),
        ('track_id,file\n1,"a.mp3\n2,b.mp3\n', "utf-8", "is not a CSV table: .*EOF inside string"),
        ("", "utf-8", "is not a CSV table"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path, text, encoding, message):
    with pytest.raises(CorpusError, match=message):
        read(write(tmp_path, text, encoding))


def test_columns_are_mapped(tmp_path):
    text = "id,path,Artist Name,artist,title\n1,a.mp3,Anon,wrong,Reel\n"
    rows = read(write(tmp_path, text), {"track_id": "id", "file": "path", "artist": "Artist Name"}).rows
    assert rows.iloc[0][["track_id", "file", "artist", "title"]].tolist() == ["1", "a.mp3", "Anon", "Reel"]


def test_a_mapping_to_a_column_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="lacks the column Artist; it has track_id, file"):
        read(write(tmp_path, "track_id,file\n1,a.mp3\n"), {"artist": "Artist"})


def test_parquet_is_read_with_its_types(tmp_path):
    path = tmp_path / "catalogue.parquet"
    made = [datetime(2026, 2, 1, 10, 30), None, datetime(2099, 1, 1)]
    columns = {"track_id": [1, 2, 3], "file": ["a", "b", "c"], "title": ["Ä", None, "nan"]}
    pd.DataFrame({**columns, "duration": [183.5, None, 3.0], "date_created": made}).to_parquet(path)
    rows = read(path).rows
    assert rows["track_id"].tolist() == ["1", "2", "3"]
    assert rows["title"].tolist() == ["Ä", "", "nan"]
    assert rows["duration"].tolist() == ["183.5", "", "3.0"]
    assert rows["date_created"].tolist() == [date(2026, 2, 1), None, None]


def test_what_is_no_parquet_is_refused(tmp_path):
    path = tmp_path / "catalogue.parquet"
    path.write_text("track_id,file\n")
    with pytest.raises(CorpusError, match="is not a Parquet table"):
        read(path)


def test_spark_gets_the_same_table(spark, tmp_path):
    path = write(tmp_path, "track_id,file,duration,date_created\n1,a.mp3,n/a,2026-03-01\n2,b.mp3,30,\n")
    rows = read(path).to_spark(spark).sort("track_id").collect()
    assert [(row["duration"], row["date_created"]) for row in rows] == [("n/a", date(2026, 3, 1)), ("30", None)]


def test_a_missing_table_is_refused_with_the_remedy(tmp_path):
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(CorpusError, match="Correct SEGUE_METADATA"):
            read(tmp_path / name)


def test_a_reported_table_whose_rows_end_with_a_comma():
    rows = read(REPORTED / "trailing_comma.csv").rows
    assert rows[["track_id", "file", "title", "genre"]].to_numpy().tolist() == [
        ["1", "0.flac", "Zero", "Rock"],
        ["2", "1.flac", "One", "Jazz"],
    ]


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("track_id,file\n1,a.mp3,,\n2,b.mp3,\n", True),
        ("track_id,file,\n1,a.mp3,\n2,b.mp3,\n", True),
        ("track_id,file\n1,a.mp3\n2,b.mp3,\n", False),
        ("track_id,file\n1,a.mp3,x\n2,b.mp3,\n", False),
        ("track_id,file\n1,a.mp3,\n2,b.mp3,x\n", False),
    ],
)
def test_columns_never_shift(tmp_path, text, is_read):
    path = write(tmp_path, text)
    if is_read:
        assert read(path).rows[["track_id", "file"]].to_numpy().tolist() == [["1", "a.mp3"], ["2", "b.mp3"]]
    else:
        with pytest.raises(CorpusError, match="is not a CSV table"):
            read(path)
