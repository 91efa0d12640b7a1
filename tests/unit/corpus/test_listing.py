from __future__ import annotations

import os
from pathlib import Path

import pytest

from segue.corpus.listing import file_id, list_audio
from segue.errors import CorpusError


def paths(folder: Path) -> list[str]:
    return [file.path for file in list_audio(folder)]


def test_lists_audio_of_every_depth_by_suffix(tmp_path):
    (tmp_path / "Choräle" / "a b").mkdir(parents=True)
    for name in ("one.MP3", "Choräle/two.flac", "Choräle/a b/three\n.opus", "cover.jpg", "._one.mp3", "notes.txt"):
        (tmp_path / name).write_bytes(b"12345")
    assert paths(tmp_path) == ["Choräle/a b/three\n.opus", "Choräle/two.flac", "one.MP3"]
    assert {file.size_bytes for file in list_audio(tmp_path)} == {5}


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
    assert [(file.path, file.size_bytes, file.mtime_ns) for file in list_audio(tmp_path)] == [("gone.mp3", 0, 0)]


def test_what_is_no_regular_file_is_left_out(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "album.mp3").mkdir()
    (tmp_path / "album.mp3" / "song.wav").write_bytes(b"1")
    assert paths(tmp_path) == ["album.mp3/song.wav"]


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
