from __future__ import annotations

from pathlib import Path

import pytest

from segue.listens.exports.lastfm import lastfm
from segue.listens.exports.lines import ImportFileError

REPORTED = Path(__file__).parent / "reported"
DATE = "31 Dec 2023 23:59"


@pytest.mark.parametrize(
    "text",
    [
        "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"
        '"1704067140","31 Dec 2023, 23:59","Björk","","Homogenic","","Jóga",""\n',
        '"Björk","Homogenic","Jóga","31 Dec 2023 23:59"\n',
        "Title,Artist,Date\nJóga,Björk,2023-12-31 23:59\n",
        "\ufeffartist,track,timestamp\r\nBjörk,Jóga,1704067140\r\n",
    ],
    ids=["with a header", "without", "other names", "byte-order mark"],
)
def test_lastfm_csv_forms(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lastfm.csv"
    path.write_text(text)
    [line] = lastfm(path)
    assert line.play is not None
    assert (line.play.listened_at, line.play.artist_name, line.play.track_name) == (1_704_067_140, "Björk", "Jóga")


def test_lastfm_lines_that_are_no_plays_say_why(tmp_path: Path) -> None:
    path = tmp_path / "lastfm.csv"
    path.write_text("a,b,c,01 Jan 1970 00:00\na,b,c,someday\n,b,c,31 Dec 2023 23:59\na\n")
    assert [line.wrong for line in lastfm(path)] == [
        "a play at 0, before 2002-10-01",
        "'someday' is not a time",
        "no artist or no title",
        "'' is not a time",
    ]
    path.write_text("artist,track\na,b\n")
    with pytest.raises(ImportFileError, match="no column of times"):
        list(lastfm(path))
    path.write_text("")
    with pytest.raises(ImportFileError, match="is empty"):
        list(lastfm(path))


def test_a_play_in_the_future_is_none(tmp_path: Path) -> None:
    path = tmp_path / "lastfm.csv"
    path.write_text("a,b,c,31 Dec 2099 23:59\n")
    assert [line.wrong for line in lastfm(path)] == ["a play at 4102444740, in the future"]


@pytest.mark.parametrize("name", ["semi.csv", "stats.csv"])
def test_reported_exports_with_semicolons(name: str) -> None:
    [line] = lastfm(REPORTED / name)
    assert line.play is not None
    names = (line.play.artist_name, line.play.track_name, line.play.release_name)
    assert (line.play.listened_at, *names) == (1_704_067_140, "Björk", "Jóga", "Homogenic")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_separator_with_and_without_a_header(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "lastfm.csv"
    title = '"Oh, Me; Oh\tMy | Oh"'
    row = separator.join(["Björk", "Homogenic", title, DATE])
    for header in ("", separator.join(["artist", "album", "track", "date"]) + "\n"):
        path.write_text(f"{header}{row}\n{row}\n")
        plays = [line.play for line in lastfm(path)]
        assert [(play.artist_name, play.track_name) for play in plays if play] == [("Björk", title.strip('"'))] * 2


@pytest.mark.parametrize(
    "written",
    ["1704067140", "1704067140000", "1704067140000000", "2023-12-31T23:59:00Z", "2024-01-01 00:59:00+01:00",
     "31 Dec 2023, 23:59", "31 Dec 2023 23:59:00", "1704067140.0"],
)  # fmt: skip
def test_times_of_any_unit(tmp_path: Path, written: str) -> None:
    path = tmp_path / "lastfm.csv"
    path.write_text(f'artist,track,date\nBjörk,Jóga,"{written}"\n')
    [line] = lastfm(path)
    assert line.play is not None
    assert line.play.listened_at == 1_704_067_140


@pytest.mark.parametrize(
    ("encoding", "artist", "title"),
    [
        ("utf-16", "Björk", "Jóga"),
        ("utf-8-sig", "Björk", "Jóga"),
        ("cp1252", "Björk", "Jóga"),
        ("cp1252", "Caetano Veloso", "Canção do Niño"),
        ("cp1252", "Sigur Rós", "Ágætis byrjun"),
        ("cp1251", "Кино", "Группа крови"),
        ("cp1250", "Żółw", "Źrebię i łąka"),
        ("koi8-r", "Кино", "Группа крови"),
    ],
)
def test_any_encoding_of_europe(tmp_path: Path, encoding: str, artist: str, title: str) -> None:
    path = tmp_path / "lastfm.csv"
    path.write_text(f"artist,album,track,date\n{artist},,{title},{DATE}\n", encoding=encoding)
    [line] = lastfm(path)
    assert line.play is not None
    assert (line.play.artist_name, line.play.track_name) == (artist, title)


def test_other_encodings_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "lastfm.csv"
    path.write_text(f"artist,track,date\n宇多田ヒカル,初恋,{DATE}\n", encoding="cp932")
    [line] = lastfm(path, "cp932")
    assert line.play is not None
    assert line.play.artist_name == "宇多田ヒカル"


def test_a_damaged_line_of_a_utf_8_file_is_counted_and_the_others_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "history"
    lines = [f"Björk,,Jóga,{DATE}\n".encode(encoding) for encoding in ("latin-1", "utf-8")]
    path.write_bytes(b"".join(lines))
    assert [line.wrong for line in lastfm(path)] == ["a name that is not UTF-8", None]


def test_a_file_of_another_kind_is_refused_with_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "lastfm.csv"
    path.write_text("<html>\n<body>\n")
    with pytest.raises(ImportFileError, match=r"neither a header .* It begins with '<html>'"):
        list(lastfm(path))


def test_a_field_without_end_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "lastfm.csv"
    path.write_text('a,b,c,31 Dec 2023 23:59\n"' + "x" * 200_000)
    with pytest.raises(ImportFileError, match=r"lastfm\.csv, line 2, cannot be read as CSV: field larger"):
        list(lastfm(path))
