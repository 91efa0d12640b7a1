from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from segue.listens.importers import ImportFileError, Line, lastfm, listenbrainz
from segue.listens.importing import Progress, key_of
from segue.listens.plays import Play

MBID = "98255a8c-017a-4bc7-8dd6-1fa36124572b"


def exported(listened_at: float, track: str, **metadata: object) -> str:
    names = {"artist_name": "Björk", "track_name": track, "recording_msid": "m", "mbid_mapping": None}
    return json.dumps({"listened_at": listened_at, "inserted_at": 1.0, "track_metadata": names | metadata})


def test_listenbrainz_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "1.jsonl"
    info = {"media_player": "x", "isrc": None}
    lines = [
        exported(1_700_000_000.0, "Jóga", release_name="Homogenic", additional_info=info),
        "",
        exported(1_700_000_300, "Hunter", mbid_mapping={"recording_mbid": MBID}),
        "no json",
        exported(5, "Too early"),
        exported(1_700_000_600, "  "),
        "[]",
    ]
    path.write_text("\n".join(lines))
    found = list(listenbrainz(path))
    assert found[0] == Line(1, Play(1_700_000_000, "Björk", "Jóga", "Homogenic", {"media_player": "x"}))
    assert found[1] == Line(2, Play(1_700_000_300, "Björk", "Hunter", None, {"recording_mbid": MBID}))
    assert [line.play for line in found[2:]] == [None] * 4
    assert all(line.wrong for line in found[2:])


def test_a_time_beyond_all_numbers_costs_one_line(tmp_path: Path) -> None:
    line = '{"listened_at": 1e999, "track_metadata": {"artist_name": "a", "track_name": "b"}}'
    (tmp_path / "x.jsonl").write_text(line + "\n" + line.replace("1e999", "1700000000"))
    wrong, good = listenbrainz(tmp_path / "x.jsonl")
    assert (wrong.play, good.wrong) == (None, None)
    assert wrong.wrong


def test_listenbrainz_zip_is_read_whole_and_other_archives_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("listens/2023/1.jsonl", exported(1_700_000_000, "a") + "\n")
        archive.writestr("listens/2024/1.jsonl", exported(1_710_000_000, "b") + "\n")
        archive.writestr("feedback.jsonl", "{}")
    assert [(line.number, line.play and line.play.track_name) for line in listenbrainz(path)] == [
        (1, "a"),
        (2, "b"),
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photo.jpg", "")
    with pytest.raises(ImportFileError, match="is not ListenBrainz's export"):
        list(listenbrainz(path))


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


def test_lines_that_are_not_utf_8_are_told_and_the_others_taken(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes("Björk,,Jóga,31 Dec 2023 23:59\nBjork,,Joga,31 Dec 2023 23:59\n".encode("latin-1"))
    assert [line.wrong for line in lastfm(path)] == ["a name that is not UTF-8", None]
    in_latin_1 = json.dumps(json.loads(exported(1_700_000_000, "a")), ensure_ascii=False).encode("latin-1")
    path.write_bytes(in_latin_1 + b"\n" + exported(1_700_000_000, "a").encode())
    assert [line.wrong for line in listenbrainz(path)] == ["a line that is not UTF-8", None]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("listens/2023/1.jsonl", in_latin_1)
    assert [line.wrong for line in listenbrainz(path)] == ["a line that is not UTF-8"]


def test_a_field_without_end_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "lastfm.csv"
    path.write_text('a,b,c,31 Dec 2023 23:59\n"' + "x" * 200_000)
    with pytest.raises(ImportFileError, match=r"lastfm\.csv, line 2, cannot be read as CSV: field larger"):
        list(lastfm(path))


def test_progress_is_by_user_and_content(tmp_path: Path) -> None:
    export, copy = tmp_path / "a.csv", tmp_path / "b.csv"
    export.write_text("same")
    copy.write_text("same")
    progress = Progress(tmp_path / "state" / "imports.json")
    progress.note(key_of("u", export), 5)
    assert progress.done(key_of("u", copy)) == 5
    assert progress.done(key_of("v", export)) == 0
    progress.forget("u")
    assert progress.done(key_of("u", export)) == 0
