"""A file of the stack that was cut short gives one sentence with the remedy, and the remedy works."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from segue import secrets as stored
from segue.errors import StackError
from segue.settings import Settings
from segue.stack import lifecycle, processes, secrets

OF_VERSION_BEFORE = ("password", "jwt_secret", "api_secret_key", "fernet_key")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, corpus="cut")


def cut(file: Path, size: int) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:size])


@pytest.mark.parametrize("size", [0, 1, 40])
def test_cut_settings_name_the_file_and_the_remedy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(processes, "state_dirs", lambda _: {settings.state_dir})
    lifecycle._save(settings)
    assert lifecycle.running(settings) == settings
    cut(settings.state_dir / "settings.json", size)
    with pytest.raises(StackError, match=r"settings\.json is damaged .*segue up"):
        lifecycle.running(settings)


@pytest.mark.parametrize("size", [0, 1, 40])
def test_cut_secrets_name_the_file_and_the_remedy(settings: Settings, size: int) -> None:
    before = secrets.load(settings)
    file = settings.state_dir / "airflow" / "secrets.json"
    cut(file, size)
    with pytest.raises(StackError, match=r"secrets\.json is damaged.*backup.*segue down.*segue up"):
        secrets.load(settings)
    file.unlink()
    assert secrets.load(settings) != before


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'"text"', b"\xff"])
def test_secrets_that_are_incomplete_are_damaged(settings: Settings, content: bytes) -> None:
    secrets.load(settings)
    (settings.state_dir / "airflow" / "secrets.json").write_bytes(content)
    with pytest.raises(StackError, match="is damaged"):
        secrets.load(settings)


def test_cut_passwords_are_written_again(settings: Settings) -> None:
    file = secrets.passwords_file(settings)
    cut(file, 5)
    made = secrets.load(settings)
    whole = {"admin": made.password, "viewer": made.viewer_password}
    assert json.loads(secrets.passwords_file(settings).read_text()) == whole
    file.write_text('{"admin": "chosen by the operator"}')  # as a version without a viewer left it
    assert json.loads(secrets.passwords_file(settings).read_text()) == whole | {"admin": "chosen by the operator"}


def test_secrets_of_a_version_before_are_kept_and_completed(settings: Settings) -> None:
    before = asdict(secrets.load(settings))
    file = settings.state_dir / "airflow" / "secrets.json"
    file.write_text(json.dumps({name: before[name] for name in OF_VERSION_BEFORE}))
    assert settings.mongo_login == ""
    after = asdict(secrets.load(settings))
    assert {name: after[name] for name in OF_VERSION_BEFORE} == {name: before[name] for name in OF_VERSION_BEFORE}
    assert all(after.values())
    assert after["mongo_password"] in settings.mongo


def test_services_that_know_a_password_are_started_again_when_it_has_changed(settings: Settings) -> None:
    def fingerprints() -> dict[str, str]:
        return {each.name: each._fingerprint for each in lifecycle.services(settings)}

    before = fingerprints()
    secrets.passwords_file(settings).unlink()
    stored.path(settings.state_dir).unlink()
    changed = {name for name, fingerprint in fingerprints().items() if before[name] != fingerprint}
    assert changed == before.keys() - {"supervisor"}
