from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path

import pytest
from upath import UPath

from segue.connections import storage
from segue.corpus import sources
from segue.corpus.listing import AudioFile, list_audio
from segue.errors import CorpusError
from segue.settings import Settings


@pytest.fixture
def bucket():
    root = UPath("memory://bucket/music")
    for name in ("Choräle/one, 100%.MP3", "two.flac", "cover.jpg", ".trash/three.mp3"):
        (root / name).write_bytes(b"12345")
    (root / "metadata.csv").write_text("track_id,file,title\nt1,two.flac,Zwei\n")
    yield root
    root.fs.rm("/bucket", recursive=True)


def test_audio_below_a_url_is_listed_like_that_in_a_folder(bucket, tmp_path):
    found = list_audio(bucket).files
    assert [(file.path, file.size_bytes) for file in found] == [("Choräle/one, 100%.MP3", 5), ("two.flac", 5)]
    assert all(file.mtime_ns > 1e18 for file in found)
    (tmp_path / "two.flac").write_bytes(b"12345")
    [there], [here] = list_audio(UPath(f"file://{tmp_path}")).files, list_audio(tmp_path).files
    assert (there.path, there.size_bytes) == (here.path, here.size_bytes)
    assert there.mtime_ns == pytest.approx(here.mtime_ns)


def test_a_url_without_audio_is_refused(bucket):
    with pytest.raises(CorpusError, match="There is no folder memory://bucket/nothing"):
        list_audio(bucket.parent / "nothing")


def test_an_object_is_there_as_long_as_it_is_extracted(bucket):
    with storage.local_copy(bucket, "two.flac") as path:
        assert Path(path).read_bytes() == b"12345"
        assert Path(path).suffix == ".flac"
    assert not Path(path).exists()
    with storage.local_copy(bucket, "gone.mp3") as path:
        assert not Path(path).exists()


def test_only_what_has_not_changed_for_days_is_removed(tmp_path):
    for name in ("old/a", "mixed/old", "mixed/new", "new/a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    for name in ("old/a", "mixed/old", "empty"):
        os.utime(tmp_path / name, (0, 0))
    storage.remove_older(str(tmp_path), days=7)
    storage.remove_older(str(tmp_path / "none"), days=7)
    assert {path.name for path in tmp_path.iterdir()} == {"mixed", "new"}


def test_a_file_of_this_machine_is_read_in_place(tmp_path):
    with storage.local_copy(tmp_path, "a/one.mp3") as path:
        assert path == f"{tmp_path}/a/one.mp3"


def test_the_url_is_a_setting_that_child_processes_get(bucket, monkeypatch):
    settings = Settings(music=str(bucket))
    assert settings.music_dir == bucket
    monkeypatch.setenv("SEGUE_MUSIC", settings.environment["SEGUE_MUSIC"])
    assert Settings().music_dir == bucket
    assert Settings(music="music").music_dir == Path.cwd() / "music"


def test_metadata_lies_beside_the_objects(bucket):
    found = sources.find(Settings(music=str(bucket))).read(date(2026, 3, 1))
    assert found.rows[["track_id", "title"]].to_numpy().tolist() == [["t1", "Zwei"]]


@pytest.mark.parametrize(
    "info",
    [
        {"mtime": 1e9},
        {"LastModified": datetime.fromtimestamp(1e9)},  # noqa: DTZ006 - some stores state no time zone
        {"updated": "2001-09-09T01:46:40Z"},
    ],
)
def test_the_time_of_change_is_read_from_what_each_store_calls_it(bucket, info, monkeypatch):
    with monkeypatch.context() as patch:  # the fixture removes the bucket with its own `find`
        patch.setattr(bucket.fs, "find", lambda *_, **__: {"/bucket/music/x.mp3": info | {"size": 1}})
        assert list_audio(bucket).files == [AudioFile("x.mp3", 1, 10**18)]
