from __future__ import annotations

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.id3 import TCON, TIT2, TPE1

from segue.corpus.tags import MAX_CHARACTERS, read_tags

NOTHING = {"title": None, "artist": None, "album": None, "genre": None, "date": None}


@pytest.fixture
def tone():
    return (0.1 * np.sin(np.linspace(0, 2_000, 22_050))).astype(np.float32)


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg"])
def test_reads_the_tags_of_compressed_files(tmp_path, tone, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone, 22_050)
    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    file.update(title=["Réel"], artist=["A", "B"], genre=["Reel"], date=["1883"])
    file.save()
    assert read_tags(path) == {"title": "Réel", "artist": "A; B", "album": None, "genre": "Reel", "date": "1883"}


@pytest.mark.parametrize("suffix", ["wav", "aiff"])
def test_reads_id3_frames_of_uncompressed_files(tmp_path, tone, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone, 22_050)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.setall("T", [TIT2(text=["Jig"]), TPE1(text=["A"]), TCON(text=["(17)"])])
    file.save()
    assert read_tags(path) == NOTHING | {"title": "Jig", "artist": "A", "genre": "Rock"}


def test_a_file_without_tags_has_none(tmp_path, tone):
    soundfile.write(tmp_path / "a.flac", tone, 22_050)
    assert read_tags(tmp_path / "a.flac") == NOTHING


@pytest.mark.parametrize("content", [b"", b"ID3\x04\x00\x00\x7f\x7f", b"fLaC\xff\xff\xff\xff", b"OggS" * 9])
def test_damaged_files_have_no_tags(tmp_path, content):
    for suffix in ("mp3", "flac", "ogg", "wav", "m4a", "wma"):
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(content)
        assert read_tags(path) == NOTHING


def test_a_missing_file_has_no_tags(tmp_path):
    assert read_tags(tmp_path / "none.mp3") == NOTHING


def test_a_book_in_a_tag_is_cut(tmp_path, tone):
    path = tmp_path / "a.flac"
    soundfile.write(path, tone, 22_050)
    file = mutagen.File(path)
    file["title"] = "x" * 10**6
    file.save()
    assert read_tags(path)["title"] == "x" * MAX_CHARACTERS
