"""What a playlist looks like outside."""

from __future__ import annotations

import json

import pytest

from segue.playlists import formats
from segue.playlists.library import Track
from segue.playlists.playlist import Entry, Playlist
from segue.playlists.store import document_of

MBID = "7bb32cd8-5dfa-4a02-8d4a-000000000000"
TRACK = Track("t1", "Jóga\nlive", "Björk", path="Björk/01 Jóga.flac", recording_mbid=MBID, duration_s=305.4)
MADE = Playlist(
    "user",
    "daily-jams",
    "Daily jams",
    "Half new.",
    [Entry(TRACK, "Why."), Entry(Track("t2"), "So.")],
    "r/1",
    1.8e9,
)


def test_jspf_has_listenbrainz_extensions_and_the_reasons() -> None:
    found = json.loads(json.dumps(formats.jspf(MADE, "http://here")))["playlist"]
    assert found["identifier"] == f"http://here/1/playlist/{MADE.mbid}"
    extension = found["extension"][formats.PLAYLIST_EXTENSION]
    assert extension["created_for"] == "user"
    assert extension["additional_metadata"] == {
        "algorithm_metadata": {"source_patch": "daily-jams"},
        "model_version": "r/1",
    }
    first, second = found["track"]
    assert first["identifier"] == [f"https://musicbrainz.org/recording/{MBID}"]
    assert (first["duration"], first["annotation"]) == (305_400, "Why.")
    assert (second["title"], second["identifier"]) == ("t2", [])
    assert "creator" not in second
    assert formats.jspf(MADE, "http://here", tracks=False)["playlist"]["track"] == []


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ("", "Björk/01 Jóga.flac"),
        ("/srv/music/", "/srv/music/Björk/01 Jóga.flac"),
        ("../m", "../m/Björk/01 Jóga.flac"),
    ],
)
def test_m3u8_has_paths_below_the_root_and_one_line_for_each_name(root: str, path: str) -> None:
    lines = formats.m3u8(MADE, root).splitlines()
    assert lines[:4] == ["#EXTM3U", "#PLAYLIST:Daily jams", "#EXTINF:305,Björk - Jóga live", path]
    assert lines[4] == "#EXTINF:-1,t2"


def test_m3u8_names_real_files_and_leaves_out_what_it_cannot_name() -> None:
    paths = ("100%2525.mp3", "album.flac#3", "caf%E9.mp3")
    entries = [Entry(Track(path, "x", "y", path=path), "") for path in paths]
    lines = formats.m3u8(Playlist("user", "radio", "", "", entries, "r/1")).splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["100%25.mp3"]


def test_a_playlist_that_is_made_again_keeps_its_id() -> None:
    again = Playlist("user", "daily-jams", "", "", [], "r/2")
    assert document_of(again)["_id"] == document_of(MADE)["_id"]
    assert Playlist("other", "daily-jams", "", "", [], "r/2").mbid != again.mbid
