"""The hash of a file's audio without its tags."""

from __future__ import annotations

from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.apev2 import APEv2
from mutagen.id3 import APIC, ID3, TIT2
from tests.support.audio_files import music, write_any

from segue.audio.decoding.ffmpeg import audio_hash
from segue.audio.extract import Tags, Track, tags_of
from segue.audio.isolation.extractor import IsolatedExtractor
from segue.audio.limits import Limits


def hash_of(path: Path) -> str:
    with path.open("rb", 0) as file:
        return audio_hash(file)


def retag(path: Path, title: str) -> None:
    """Write a title and padding as the format has them."""
    if path.suffix in {".mp3", ".aac"}:
        tags = ID3()
        tags.add(TIT2(3, [title]))
        tags.add(APIC(3, "image/png", 3, "cover", b"\x89PNG" * 5_000))
        tags.save(path, padding=lambda _: 4_096)
        return
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):
        file.tags.add(TIT2(3, [title]))
    else:
        file.tags[{".m4a": "\xa9nam", ".wma": "Title"}.get(path.suffix, "title")] = [title]
    file.save()


SUFFIXES = [".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wma", ".wav", ".aiff", ".aac"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_tags_do_not_change_the_hash_and_other_audio_does(tmp_path, suffix):
    path = write_any(tmp_path / f"music{suffix}")
    before, content = hash_of(path), path.read_bytes()
    assert len(before) == 32
    for title in ("One", "Another title that is much longer " * 200):
        retag(path, title)
        assert path.read_bytes() != content
        assert hash_of(path) == before
    other = write_any(tmp_path / f"other{suffix}", music()[::-1])
    assert hash_of(other) != before


def test_tags_at_the_end_of_an_mp3_do_not_change_its_hash(tmp_path):
    path = write_any(tmp_path / "music.mp3")
    before = hash_of(path)
    tags = APEv2()
    tags["Title"] = "One"
    tags.save(path)
    assert hash_of(path) == before
    path.write_bytes(path.read_bytes() + b"TAG" + b"One".ljust(125, b"\0"))
    assert hash_of(path) == before


def test_the_same_samples_at_another_rate_have_another_hash(tmp_path):
    silence = np.zeros(8_000, np.float32)
    soundfile.write(tmp_path / "a.wav", silence, 8_000)
    soundfile.write(tmp_path / "b.wav", silence, 16_000)
    assert hash_of(tmp_path / "a.wav") != hash_of(tmp_path / "b.wav")


@pytest.mark.parametrize("content", [b"", b"Dear Sir, " * 1_000])
def test_what_is_no_audio_has_no_hash(tmp_path, content):
    path = tmp_path / "letter.mp3"
    path.write_bytes(content)
    assert hash_of(path) == ""


def test_the_child_hashes_the_audio_with_the_tags_as_at_the_extraction(tmp_path):
    path = write_any(tmp_path / "music.flac")
    retag(path, "One")
    with IsolatedExtractor() as extractor:
        extracted, tags = extractor.extract(path), extractor.read_tags(path)
    assert isinstance(extracted, Track)
    assert isinstance(tags, Tags)
    assert tags == tags_of(path, Limits())
    assert tags.texts["title"] == "One"
    assert tags.audio_hash == extracted.audio_hash == hash_of(path)
