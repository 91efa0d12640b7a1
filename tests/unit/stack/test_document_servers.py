"""Which document server is chosen, and how it is called; programs are empty files here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from segue.errors import ConfigurationError, PrerequisiteError, StackError
from segue.settings import Settings
from segue.stack import document_servers, documents
from segue.stack.document_servers import Kind, Server, choose


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that installs programs on a machine that has none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(document_servers, "BUILT", tmp_path / "built")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "python"))

    def install(*names: str, into: Path = folder) -> Path:
        into.mkdir(parents=True, exist_ok=True)
        for name in names:
            (into / name).touch(mode=0o755)
        return into

    return install


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", corpus="own", document_server="auto")


def test_the_best_server_of_the_machine_is_taken(machine):
    for better in ("secantusd-py", "secantusd-rs", "mongod"):
        folder = machine(better)
        assert choose("auto", None) == Server(Kind(better), folder / better)


@pytest.mark.parametrize("place", ["built", ".cargo/bin", "python/bin"])
def test_servers_are_found_where_make_cargo_and_pip_put_them(machine, tmp_path, place):
    folder = machine("secantusd-rs", into=tmp_path / place)
    assert choose("auto", None) == Server(Kind.RUST, folder / "secantusd-rs")


def test_a_machine_without_any_server_says_how_to_get_one(machine):  # noqa: ARG001 - nothing is installed
    with pytest.raises(PrerequisiteError, match=r"This machine has no mongod or secantusd-rs or secantusd-py"):
        choose("auto", None)


def test_the_setting_overrides_with_a_name_or_a_path(machine, tmp_path):
    folder = machine("secantusd-py", "secantusd-rs", "mongod")
    assert choose("secantusd-py", None).kind is Kind.PYTHON
    own = machine("mongod-8.0", into=tmp_path / "own")
    assert choose(str(own / "mongod-8.0"), None) == Server(Kind.MONGOD, own / "mongod-8.0")
    (folder / "mongod").unlink()
    with pytest.raises(PrerequisiteError, match="SEGUE_DOCUMENT_SERVER=mongod: there is no such program"):
        choose("mongod", None)
    with pytest.raises(
        ConfigurationError, match=r"SEGUE_DOCUMENT_SERVER=mysqld: choose auto, mongod, secantusd-rs"
    ):
        choose("mysqld", None)


def test_no_server_is_started_on_a_folder_that_it_cannot_take_over(machine):
    machine("secantusd-py", "mongod")
    assert choose("auto", Kind.PYTHON).kind is Kind.PYTHON
    assert choose("auto", Kind.MONGOD).kind is Kind.MONGOD
    with pytest.raises(PrerequisiteError, match=r"secantusd-rs has written.*this machine has no secantusd-rs\."):
        choose("auto", Kind.RUST)
    machine("secantusd-rs")
    assert choose("auto", Kind.PYTHON).kind is Kind.RUST
    with pytest.raises(
        ConfigurationError,
        match=r"secantusd-py has written this corpus' documents, and mongod cannot take them over\. "
        r"Choose secantusd-rs or secantusd-py, or move the documents as docs/documents\.md",
    ):
        choose("mongod", Kind.PYTHON)
    for written_by in (Kind.MONGOD, Kind.RUST):
        with pytest.raises(ConfigurationError, match=f"secantusd-py cannot take them over. Choose {written_by},"):
            choose("secantusd-py", written_by)


def test_a_folder_from_before_there_was_a_choice_is_the_python_servers(machine, settings):
    machine("secantusd-py", "mongod")
    assert documents.written_by(settings) is None
    data = settings.state_dir / "mongo" / "data"
    data.mkdir(parents=True)
    assert documents.written_by(settings) is None, "an empty folder binds to nothing"
    (data / "WiredTiger").touch()
    assert documents.written_by(settings) is Kind.PYTHON
    assert documents.server(settings).kind is Kind.PYTHON


def test_the_first_start_notes_who_writes_the_folder(machine, settings, without_users):  # noqa: ARG001
    machine("mongod")
    started = []
    documents.start(settings, started.append)
    assert started[0].command[0].endswith("mongod")
    assert documents.written_by(settings) is None
    started[0].prepare()
    data = settings.state_dir / "mongo" / "data"
    assert data.is_dir(), "mongod makes no folder itself"
    (data / "WiredTiger").touch()
    assert documents.written_by(settings) is Kind.MONGOD
    machine("secantusd-rs")
    assert documents.server(settings).kind is Kind.MONGOD
    (settings.state_dir / "mongo" / "written-by").write_text("somebody")
    with pytest.raises(StackError, match="must contain one of the words mongod, secantusd-rs, secantusd-py"):
        documents.server(settings)


@pytest.fixture
def without_users(monkeypatch):
    """Skip the creation of the user, which needs a server that runs."""
    monkeypatch.setattr(documents, "_create_user", lambda _: None)


def test_a_server_that_does_not_start_leaves_the_folder_to_the_one_before(
    machine,
    settings,
    without_users,  # noqa: ARG001
):
    def fail(service):
        service.prepare()
        raise StackError("mongo ended while starting.")

    machine("secantusd-py", "secantusd-rs")
    data = settings.state_dir / "mongo" / "data"
    data.mkdir(parents=True)
    (data / "WiredTiger").touch()
    assert documents.server(settings).kind is Kind.RUST
    with pytest.raises(StackError, match="ended while starting"):
        documents.start(settings, fail)
    assert documents.written_by(settings) is Kind.PYTHON
    assert choose("secantusd-py", documents.written_by(settings)).kind is Kind.PYTHON
    documents.start(settings, lambda service: service.prepare())
    assert documents.written_by(settings) is Kind.RUST


def test_command_lines():
    where = {"port": 27117, "data": Path("/d"), "config": Path("/c")}
    mongod = Server(Kind.MONGOD, Path("/bin/mongod")).command(**where, cache_mb=512)
    assert mongod == (
        *("/bin/mongod", "--bind_ip", "127.0.0.1", "--port", "27117", "--dbpath", "/d"),
        *("--wiredTigerCacheSizeGB", "0.5", "--quiet", "--auth"),
    )
    assert "0.25" in Server(Kind.MONGOD, Path("/bin/mongod")).command(**where, cache_mb=128)
    python = Server(Kind.PYTHON, Path("/p")).command(**where, cache_mb=128)
    assert python == (
        *("/p", "--config", "/c", "--host", "127.0.0.1", "--port", "27117", "--storage-path", "/d"),
        *("--cache-size", "128M", "--log-level", "WARNING", "--auth"),
    )
    assert Server(Kind.PYTHON, Path("/p")).command(**where, cache_mb=128, auth=False) == python[:-1]
    rust = Server(Kind.RUST, Path("/r")).command(**where, cache_mb=128)
    assert rust == ("/r", *python[1:])
