from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from segue.backup import making
from segue.backup.documents import load
from segue.backup.making import make
from segue.backup.manifest import FILE, Manifest
from segue.backup.restoring import restore
from segue.errors import BackupError
from segue.settings import Settings

MADE = Manifest(corpus="mine", made_at=datetime(2026, 11, 29, tzinfo=UTC), documents={}, tables={}, left_out=[])


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", corpus="mine")


def test_a_folder_without_a_backup_is_refused_before_anything_is_written(settings, tmp_path):
    with pytest.raises(BackupError, match="holds no complete backup"):
        restore(settings, tmp_path)
    assert not settings.home.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is damaged"), ("{}", "is damaged"), (MADE.model_copy(update={"form": 99}).model_dump_json(), "later")],
)
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path, text, said):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(BackupError, match=said):
        Manifest.read(tmp_path)


def test_a_state_is_not_overwritten_but_music_alone_is_no_state(settings, tmp_path, monkeypatch):
    MADE.write(tmp_path)
    (settings.state_dir / "music").mkdir(parents=True)
    stopped = RuntimeError("here the services would start")
    monkeypatch.setattr("segue.stack.lifecycle.up", lambda *_: (_ for _ in ()).throw(stopped))
    with pytest.raises(RuntimeError, match="here the services"):
        restore(settings, tmp_path)
    (settings.state_dir / "restoring").unlink()
    (settings.state_dir / "lake").mkdir()
    with pytest.raises(BackupError, match="has a state"):
        restore(settings, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mongo_uri", "mongodb://db:27017"),
        ("kafka_bootstrap_servers", "broker:9092"),
        ("lake", "s3://bucket/lake"),
    ],
)
def test_servers_and_stores_of_the_users_own_are_left_alone(settings, tmp_path, name, value):
    MADE.write(tmp_path)
    with pytest.raises(BackupError, match="Unset SEGUE_"):
        restore(settings.model_copy(update={name: value}), tmp_path)
    assert not settings.home.exists()


@pytest.mark.parametrize("place", ["home/mine/inside", "there"])
def test_a_backup_needs_a_new_folder_outside_of_the_state(settings, tmp_path, place):
    (tmp_path / "there").mkdir()
    with pytest.raises(BackupError):
        make(settings, SimpleNamespace(), tmp_path / place)


def test_a_disk_that_is_full_leaves_nothing_of_the_backup(settings, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(making, "_wait_for_listens", lambda _: None)
    monkeypatch.setattr("segue.backup.documents.dump", full)
    with pytest.raises(BackupError, match="No space left"):
        make(settings, SimpleNamespace(), tmp_path / "backup")
    assert not list(tmp_path.glob("backup*"))


def test_a_cut_file_of_documents_is_named(tmp_path):
    (tmp_path / "tracks.bson").write_bytes(b"\x40\x00\x00\x00\x02cut")
    with pytest.raises(BackupError, match=r"tracks.bson is damaged"):
        load(tmp_path, {"tracks": None})
