"""CUE sheets as programs write them, and sheets that are wrong."""

from __future__ import annotations

import pytest

from segue.audio.cue import clock, parse

SHEET = """\ufeffREM GENRE "Folk, World"
REM DATE 1999
REM COMMENT "ExactAudioCopy v1.3"
PERFORMER "The Band"
TITLE "The "Live" Album"
FILE "Album.wav" WAVE
  TRACK 01 AUDIO
    TITLE "One"
    ISRC IEABC9900001
    INDEX 00 00:00:00
    INDEX 01 00:00:33
\tTRACK 02 AUDIO
    TITLE "Two"
    PERFORMER "A Guest"
    INDEX 00 02:58:00
    INDEX 01 03:00:00
  TRACK 03 AUDIO
    INDEX 01 101:00:74
"""


HEAD = 'FILE "a" WAVE\n'


def track(number: int, at: str) -> str:
    return f'TRACK {number:02d} AUDIO\nTITLE "T{number}"\nINDEX 01 {at}\n'


def test_tracks_have_the_bounds_and_the_tags_of_the_sheet() -> None:
    [file] = parse(SHEET.replace("\n", "\r\n"))
    assert file.name == "Album.wav"
    bounds = [(each.number, each.start, each.end) for each in file.tracks]
    assert bounds == [(1, 33, 13_500), (2, 13_500, 454_574), (3, 454_574, None)]
    album = {"album": 'The "Live" Album', "album_artist": "The Band", "genre": "Folk, World", "date": "1999"}
    one, two, three = (each.tags for each in file.tracks)
    assert one == album | {"artist": "The Band", "title": "One", "isrc": "IEABC9900001", "track_number": "1"}
    assert two == album | {"artist": "A Guest", "title": "Two", "track_number": "2"}
    assert three == album | {"artist": "The Band", "track_number": "3"}


def test_a_track_belongs_to_the_file_in_which_it_begins() -> None:
    first = "FILE a.flac WAVE\n" + track(1, "00:00:00") + "TRACK 02 AUDIO\nINDEX 00 03:00:00\n"
    files = parse(first + 'FILE "b c.flac" WAVE\nINDEX 01 00:00:00\n' + track(3, "01:00:00"))
    assert [(file.name, [each.number for each in file.tracks]) for file in files] == [
        ("a.flac", [1]),
        ("b c.flac", [2, 3]),
    ]


def test_a_data_track_is_no_track_and_ends_the_one_before_it() -> None:
    [file] = parse('FILE "a" BINARY\n' + track(1, "00:00:00") + "TRACK 02 MODE1/2352\nINDEX 01 04:00:00\n")
    assert [(each.number, each.end) for each in file.tracks] == [(1, 18_000)]


@pytest.mark.parametrize(
    ("sheet", "reason"),
    [
        ("", "it has no audio tracks"),
        ("\0\1\2 no sheet", "it has no audio tracks"),
        (track(1, "00:00:00"), "line 3 has a track, but no FILE precedes it"),
        (HEAD + "TRACK 01 AUDIO\nINDEX 00 00:00:00\n", "track 1 has no INDEX 01"),
        (HEAD + "TRACK one AUDIO\n", "line 2 has no number for its track"),
        (
            HEAD + track(1, "00:00:00") + track(1, "01:00:00"),
            "line 5 has track 1 for the second time",
        ),
        (
            HEAD + track(1, "00:00:75"),
            "line 4 has '00:00:75', which is not a time",
        ),
        (
            HEAD + track(1, "00:00:00") + "INDEX 01 00:01:00",
            "line 5 has a second INDEX 01 for track 1",
        ),
        (
            HEAD + track(1, "00:00:00") + track(2, "05:00:00") + track(3, "04:59:74"),
            "track 3 begins at 4:59, but track 2 before it begins at 5:00",
        ),
    ],
)
def test_a_wrong_sheet_says_what_is_wrong(sheet: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse(sheet)
    assert str(raised.value).removesuffix(" (minutes:seconds:frames)") == reason


def test_times_are_written_as_minutes_and_seconds() -> None:
    assert [clock(0), clock(75 * 61), clock(75 * 4264.9)] == ["0:00", "1:01", "71:04"]
