from __future__ import annotations

from datetime import date

import pytest

from segue.corpus.listing import file_id
from segue.corpus.metadata import read
from segue.errors import CorpusError

TODAY = date(2026, 3, 1)


def write(folder, text, encoding="utf-8"):
    path = folder / "metadata.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_no_table_is_an_empty_table():
    assert len(read(None, TODAY).rows) == 0


def test_columns_that_are_absent_are_blank(tmp_path):
    rows = read(write(tmp_path, "track_id,file,title\n7,a.mp3,Réel\n"), TODAY).rows
    assert rows.iloc[0][["track_id", "file", "title", "artist"]].tolist() == ["7", "a.mp3", "Réel", ""]
    assert rows.iloc[0]["date_created"] is None


def test_a_byte_order_mark_and_a_million_characters_are_no_trouble(tmp_path):
    rows = read(write(tmp_path, f"track_id,file,title\n7,a.mp3,{'x' * 10**6}\n", "utf-8-sig"), TODAY).rows
    assert rows["track_id"].tolist() == ["7"]


def test_of_rows_with_the_same_id_or_file_the_first_counts(tmp_path):
    table = read(write(tmp_path, "track_id,file,title\n1,a.mp3,A\n1,b.mp3,B\n2,a.mp3,C\n3,c.mp3,D\n"), TODAY)
    assert table.rows["title"].tolist() == ["A", "D"]
    assert (table.rows_read, table.repeated_ids, table.repeated_files) == (4, 1, 1)


def test_a_row_without_id_gets_that_of_its_file(tmp_path):
    assert read(write(tmp_path, "track_id,file\n ,a.mp3\n"), TODAY).rows["track_id"].tolist() == [file_id("a.mp3")]


def test_dates_that_are_none_or_in_the_future_are_counted_and_left_out(tmp_path):
    text = "track_id,file,date_created\n1,a,2026-03-01\n2,b,2099-01-01\n3,c,yesterday\n4,d,\n5,e,2025-02-30\n"
    table = read(write(tmp_path, text), TODAY)
    assert table.rows["date_created"].tolist() == [date(2026, 3, 1), None, None, None, None]
    assert table.unusable_dates == 3


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ("id,name\n1,a\n", "utf-8", "lacks the column track_id and file; it has id, name"),
        ("track_id,file\n1,é.mp3\n", "latin-1", "is not UTF-8 .*Save it as CSV UTF-8"),
        ('track_id,file\n1,"a.mp3\n2,b.mp3\n', "utf-8", "is not a CSV table: .*EOF inside string"),
        ("", "utf-8", "is not a CSV table"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path, text, encoding, message):
    with pytest.raises(CorpusError, match=message):
        read(write(tmp_path, text, encoding), TODAY)


def test_spark_gets_the_same_table(spark, tmp_path):
    assert read(None, TODAY).to_spark(spark).collect() == []
    path = write(tmp_path, "track_id,file,duration,date_created\n1,a.mp3,n/a,2026-03-01\n2,b.mp3,30,\n")
    rows = read(path, TODAY).to_spark(spark).sort("track_id").collect()
    assert [(row["duration"], row["date_created"]) for row in rows] == [("n/a", date(2026, 3, 1)), ("30", None)]


def test_a_missing_table_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(CorpusError, match="Correct SEGUE_METADATA"):
        read(tmp_path / "none.csv", TODAY)
