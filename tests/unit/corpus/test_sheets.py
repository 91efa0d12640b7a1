"""Which files are divided by CUE sheets, and what is said of sheets that cannot be used."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from segue.audio.results import TAG_NAMES
from segue.corpus.listing import AudioFile, digest, list_audio
from segue.corpus.parts import Part, hash_of, part_of, source_of, span_of, tags_of
from segue.corpus.sheets import MAX_BYTES, tracks_of


def sheet(file: str, *starts: str, title: str = "T") -> str:
    tracks = (f'TRACK {n:02d} AUDIO\nTITLE "{title}{n}"\nINDEX 01 {at}\n' for n, at in enumerate(starts, 1))
    return f'PERFORMER "Björk"\nFILE "{file}" WAVE\n' + "".join(tracks)


def folder(root: Path, *audio: str, **sheets: str) -> Path:
    for name in audio:
        (root / name).write_bytes(bytes(90))
    for name, text in sheets.items():
        (root / f"{name}.cue").write_text(text, encoding="utf-8")
    return root


TWO = ("00:00:00", "03:00:00")


@pytest.mark.parametrize(
    ("named", "there"),
    [
        ("Album.flac", "Album.flac"),
        ("ALBUM.FLAC", "Album.flac"),
        ("Album.wav", "Album.flac"),
        (r"C:\rips\Album.wav", "Album.flac"),
        ("../Album.flac", "Album.flac"),
        ("Cafe\u0301.wav", "Café.ape"),
        ("CDImage.wav", "a.flac"),
    ],
)
def test_a_sheet_finds_its_file(tmp_path: Path, named: str, there: str) -> None:
    found, bad = tracks_of(list_audio(folder(tmp_path, there, "other.mp3", a=sheet(named, *TWO))))
    assert (list(found), bad) == ([there], {})
    [(used, tracks)] = found.values()
    assert (used, [track.path for track in tracks]) == ("a.cue", [f"{there}#1", f"{there}#2"])
    assert {track.size_bytes for track in tracks} == {45}
    assert [span_of(asdict(track)) for track in tracks] == [(0.0, 180.0), (180.0, None)]
    assert {source_of(asdict(track)) for track in tracks} == {there}


def test_a_track_changes_with_its_sheet_and_the_listing_with_it(tmp_path: Path) -> None:
    listing = list_audio(folder(tmp_path, "a.flac", a=sheet("a.flac", *TWO)))
    [(_, before)] = tracks_of(listing)[0].values()
    (tmp_path / "a.cue").write_text(sheet("a.flac", *TWO, title="Other "), encoding="utf-8")
    changed = list_audio(tmp_path)
    [(_, after)] = tracks_of(changed)[0].values()
    assert [track.path for track in before] == [track.path for track in after]
    assert not set(before) & set(after)
    assert digest((*listing.files, *listing.sheets)) != digest((*changed.files, *changed.sheets))
    assert digest(listing.files) == digest(changed.files)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (sheet("none.wav", *TWO), "the file 'none.wav' that it names is not beside it"),
        (
            sheet("b.flac", "00:00:00", "05:00:00", "04:00:00"),
            "track 3 begins at 4:00, but track 2 before it",
        ),
        (sheet("b.flac", *TWO) + sheet("B.FLAC", "09:00:00"), "line 11 has track 1 for the second time"),
        ("x" * (MAX_BYTES + 1), "it has 1,048,577 bytes, more than a CUE sheet has"),
    ],
)
def test_the_file_of_a_bad_sheet_stays_whole_and_other_sheets_are_used(
    tmp_path: Path, text: str, reason: str
) -> None:
    listing = list_audio(folder(tmp_path, "b.flac", "c.flac", bad=text, c=sheet("c.flac", *TWO)))
    found, bad = tracks_of(listing)
    assert list(found) == ["c.flac"]
    assert [(name, said.startswith(reason)) for name, said in bad.items()] == [("bad.cue", True)]


def test_an_album_with_a_file_for_each_track_stays_as_it_is(tmp_path: Path) -> None:
    text = sheet("gone 1.wav", "00:00:00") + 'FILE "2.wav" WAVE\nTRACK 02 AUDIO\nINDEX 01 00:00:00\n'
    assert tracks_of(list_audio(folder(tmp_path, "2.flac", a=text))) == ({}, {})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_sheets_of_other_encodings(tmp_path: Path, encoding: str) -> None:
    folder(tmp_path, "a.flac")
    (tmp_path / "a.cue").write_text(sheet("a.flac", *TWO, title="Jóga í "), encoding=encoding)
    [(_, tracks)] = tracks_of(list_audio(tmp_path))[0].values()
    part = part_of(asdict(tracks[0]))
    assert part
    assert (part.tags["artist"], part.tags["title"]) == ("Björk", "Jóga í 1")


def test_a_file_that_is_out_of_reach_keeps_its_tracks(tmp_path: Path) -> None:
    (tmp_path / "a.flac").symlink_to("nowhere")
    [(_, tracks)] = tracks_of(list_audio(folder(tmp_path, a=sheet("a.flac", *TWO))))[0].values()
    assert all(track.is_out_of_reach for track in tracks)


def test_hashes_and_tags_of_a_part_are_its_own() -> None:
    one = {"path": "a.flac#1", "part": Part("a.flac", 0, 75, {"title": "One", "artist": "B"}).to_text()}
    moved = one | {"path": "b.flac#1", "part": Part("b.flac", 0, 75, {}).to_text()}
    two = {"path": "a.flac#2", "part": Part("a.flac", 75, None, {}).to_text()}
    whole = {"path": "a.flac", "part": None}
    assert hash_of(one, "h") == hash_of(moved, "h") != hash_of(two, "h")
    assert (hash_of(whole, "h"), hash_of(one, None), hash_of(one, "")) == ("h", None, "")
    texts = dict.fromkeys(TAG_NAMES, "of the file")
    assert tags_of(whole, texts) == texts
    tags = tags_of(one, texts)
    assert (tags["title"], tags["artist"], tags["album"], tags["isrc"]) == ("One", "B", "of the file", None)


def test_no_file_is_listed_under_the_path_of_a_track(tmp_path: Path) -> None:
    names = ("a.flac#1", "b.mp3")
    assert [file.path for file in list_audio(folder(tmp_path, *names)).files] == ["b.mp3"]
    assert AudioFile("a.flac", 1, 2) == AudioFile("a.flac", 1, 2, "")
