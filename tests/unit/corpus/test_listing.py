from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from upath import UPath

from segue.audio.files import SUFFIXES, find_audio
from segue.connections import storage
from segue.corpus.listing import file_id, list_audio
from segue.errors import CorpusError

NOBODY = 65534


def paths(folder: Path) -> list[str]:
    return [file.path for file in list_audio(folder).files]


@contextmanager
def plain_user() -> Iterator[None]:
    """Let the rights of files apply, which root ignores."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="segue-music-"))
    folder.chmod(0o755)
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)  # shutil.rmtree fails on a thousand nested folders


def songs(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    return folder


def test_lists_audio_of_every_depth_by_suffix(tmp_path):
    (tmp_path / "Choräle" / "a b").mkdir(parents=True)
    for name in ("one.MP3", "Choräle/two.flac", "Choräle/a b/three\n.opus", "cover.jpg", "._one.mp3", "notes.txt"):
        (tmp_path / name).write_bytes(b"12345")
    assert paths(tmp_path) == ["Choräle/a b/three\n.opus", "Choräle/two.flac", "one.MP3"]
    assert {file.size_bytes for file in list_audio(tmp_path).files} == {5}


def test_a_name_that_is_not_utf_8_is_listed(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp3")).write_bytes(b"1")
    assert paths(tmp_path) == ["caf%E9.mp3"]


def test_loops_of_links_end(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "song.mp3").write_bytes(b"1")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "self.mp3").symlink_to("self.mp3")
    assert paths(tmp_path) == ["a/song.mp3", "self.mp3"]


def test_a_linked_folder_outside_is_followed(tmp_path):
    (tmp_path / "disk2").mkdir()
    (tmp_path / "disk2" / "song.mp3").write_bytes(b"1")
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "more").symlink_to(tmp_path / "disk2")
    assert paths(tmp_path / "music") == ["more/song.mp3"]


def test_a_link_that_leads_nowhere_is_listed_for_rejection(tmp_path):
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nowhere")
    assert [(file.path, file.size_bytes, file.mtime_ns) for file in list_audio(tmp_path).files] == [
        ("gone.mp3", 0, 0)
    ]


def test_what_is_no_regular_file_is_left_out(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "album.mp3").mkdir()
    (tmp_path / "album.mp3" / "song.wav").write_bytes(b"1")
    assert paths(tmp_path) == ["album.mp3/song.wav"]


def test_names_that_begin_with_dots_are_music(tmp_path):
    names = ["...And Justice for All/01. Blackened.mp3", ".38 Special/Caught Up in You.flac", "...mp3.mp3"]
    assert paths(songs(tmp_path, *names)) == sorted(names)


def test_files_and_folders_of_systems_are_left_out_and_counted(tmp_path):
    folders = ["lost+found", ".Trash-1000/files", "A/@eaDir", "$RECYCLE.BIN", ".Trashes/501", ".stversions"]
    songs(tmp_path, "song.mp3", "._song.mp3", "A/.DS_Store", *(f"{folder}/song.mp3" for folder in folders))
    listing = list_audio(tmp_path)
    assert [file.path for file in listing.files] == ["song.mp3"]
    assert listing.system_folders == len(folders)
    assert listing.unreadable == {}
    remote = list_audio(UPath(f"file://{tmp_path}"))
    assert (remote.files[0].path, len(remote.files), remote.system_folders) == ("song.mp3", 1, len(folders))


def test_what_is_left_out_is_counted_by_suffix(tmp_path):
    songs(tmp_path, "a.mp3", "A/b.JPG", "A/c.jpg", "d.cue", "README", "Dr. No. A story", "e.part-9")
    assert list_audio(tmp_path).left_out == {"jpg": 2, "cue": 1, "other": 3}
    assert list_audio(UPath(f"file://{tmp_path}")).left_out == {"jpg": 2, "cue": 1, "other": 3}


def test_command_line_and_corpus_list_the_same(tmp_path):
    songs(tmp_path, *(f"a{suffix.upper()}" for suffix in SUFFIXES), ".b/c.wv", "._d.mp3", "@eaDir/e.mp3", "f.txt")
    assert [tmp_path / path for path in paths(tmp_path)] == sorted(find_audio([tmp_path]))
    assert len(paths(tmp_path)) == len(SUFFIXES) + 1


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o644])
def test_a_folder_that_cannot_be_entered_is_noted_and_the_others_are_listed(open_folder, mode):
    songs(open_folder, "A/one.mp3", "B/two.mp3", "B/C/three.mp3")
    (open_folder / "B").chmod(mode)
    with plain_user():
        listing = list_audio(open_folder)
    assert [file.path for file in listing.files] == ["A/one.mp3"]
    assert listing.unreadable == {"B": "Permission denied"}
    assert listing.hides("B/two.mp3")
    assert listing.hides("B/C/three.mp3")
    assert not listing.hides("Below/two.mp3")


def test_a_music_folder_that_cannot_be_entered_is_refused_with_the_remedy(open_folder):
    songs(open_folder, "one.mp3")
    open_folder.chmod(0o644)
    with plain_user(), pytest.raises(CorpusError, match=r"Permission denied\. Let the user who runs Segue"):
        list_audio(open_folder)


def test_a_link_to_a_folder_that_is_away_is_noted(tmp_path):
    songs(tmp_path, "one.mp3")
    (tmp_path / "disk2").symlink_to("/nowhere/at/all")
    assert list_audio(tmp_path).unreadable == {"disk2": "No such file or directory"}
    assert list_audio(tmp_path).hides("disk2/A/two.mp3")


def test_folders_nested_beyond_recursion_and_path_max_are_listed_as_far_as_they_can_be(open_folder):
    songs(open_folder, "one.mp3")
    here = os.getcwd()  # noqa: PTH109
    try:
        os.chdir(open_folder)
        for depth in range(2_200):
            os.mkdir("d")  # noqa: PTH102
            os.chdir("d")
            if depth == 1_199:
                Path("deep.mp3").write_bytes(b"1")
    finally:
        os.chdir(here)
    listing = list_audio(open_folder)
    assert [len(file.path.split("/")) for file in listing.files] == [1_201, 1]
    assert list(listing.unreadable.values()) == ["File name too long"]


@pytest.mark.parametrize("mtime_ns", [2**70, -(2**70)])
def test_an_impossible_time_becomes_the_nearest_that_the_lake_can_hold(tmp_path, monkeypatch, mtime_ns):
    monkeypatch.setattr(storage, "walk", lambda _: [("a.mp3", 1, mtime_ns)])
    (file,) = list_audio(UPath(f"file://{tmp_path}")).files
    assert file.mtime_ns == (2**63 - 1 if mtime_ns > 0 else -(2**63))


def test_a_missing_folder_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(CorpusError, match=r"no folder .*nowhere\. Set SEGUE_MUSIC"):
        list_audio(tmp_path / "nowhere")


def test_an_empty_folder_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(CorpusError, match=r"is empty\. Put files of these types"):
        list_audio(tmp_path)


def test_a_folder_without_audio_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear")
    with pytest.raises(CorpusError, match=r"holds no audio file\. Put files of these types"):
        list_audio(tmp_path)


def test_a_file_id_is_stable():
    assert file_id("Reels/1.mp3") == "f459e6778cd8aeea7"
