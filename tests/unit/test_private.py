from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Event

import pytest
from typer.testing import CliRunner

from segue import private
from segue.cli import app
from segue.errors import StackError
from segue.settings import Settings
from segue.stack import kafka, lifecycle, prerequisites, secrets, spark_conf
from segue.stack.airflow_environment import environment
from segue.stack.service import Service

HIDDEN = "a-password-of-the-user"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def careless():
    """Let everybody read what this process creates, as with some systems' umask."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def settings(tmp_path):
    login = f"user:{HIDDEN}@host"
    return Settings(
        home=tmp_path,
        mongo_uri=f"mongodb://{login}",
        mlflow_tracking_uri=f"http://{login}",
        tuning_storage=f"postgresql://{login}/studies",
        lastfm_keys=f"key={HIDDEN.replace('-', '_')}",
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="user",
        kafka_sasl_password=HIDDEN,
    )


def test_a_file_is_replaced_and_only_its_owner_may_read_it(tmp_path):
    file = tmp_path / "new" / "file"
    private.write(file, "one")
    file.chmod(0o644)
    private.write(file, "käse")
    assert (file.read_text("utf-8"), mode(file)) == ("käse", 0o600)
    assert list(file.parent.iterdir()) == [file]


def test_the_umask_holds_for_a_block_even_if_it_fails(tmp_path):
    with suppress(ZeroDivisionError), private.umask():
        (tmp_path / "inside").mkdir()
        _ = 1 / 0
    (tmp_path / "after").mkdir()
    assert (mode(tmp_path / "inside"), mode(tmp_path / "after")) == (0o700, 0o777)


@pytest.fixture
def open_state(settings):
    """Make a state folder as earlier versions left it, with the user's music and a link out of it."""
    state = settings.state_dir
    for folder in ("logs", "music", "lake/tracks"):
        (state / folder).mkdir(parents=True)
    for file in ("logs/kafka.log", "music/song.mp3", "lake/tracks/part.parquet"):
        (state / file).write_text("text")
    (settings.home / "elsewhere").write_text("text")
    (state / "link").symlink_to(settings.home / "elsewhere")
    return state


def test_a_state_folder_of_an_earlier_version_is_closed_at_the_next_up(settings, open_state, monkeypatch):
    monkeypatch.setattr(prerequisites, "check_java", lambda: None)
    monkeypatch.setattr(lifecycle.jars, "fetch", lambda _: [])
    monkeypatch.setattr(lifecycle, "_bring_up", lambda settings, *_: lifecycle._save(settings))
    lifecycle.up(settings)
    modes = {path.relative_to(open_state).as_posix(): mode(path) for path in open_state.rglob("*")}
    assert mode(open_state) == 0o700
    assert modes == {
        "lake": 0o700,
        "lake/tracks": 0o700,
        "lake/tracks/part.parquet": 0o600,
        "link": 0o666,  # the mode of the file elsewhere
        "logs": 0o700,
        "logs/kafka.log": 0o600,
        "music": 0o777,
        "music/song.mp3": 0o666,
        "settings.json": 0o600,
        "airflow": 0o700,
        "airflow/secrets.json": 0o600,
    }


def test_a_file_of_another_user_is_named(open_state, monkeypatch):
    def refuse(path: Path, _: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(StackError, match=r"sample/\S+ belongs to another user.*sudo chown --recursive"):
        private.close(open_state, spare=open_state / "music")


def test_a_folder_that_is_not_there_or_closed_already_is_left_alone(open_state, monkeypatch):
    private.close(open_state / "nothing", spare=open_state / "music")
    open_state.chmod(0o700)
    monkeypatch.setattr(os, "walk", lambda _: pytest.fail("there is nothing to do"))
    private.close(open_state, spare=open_state / "music")


def test_files_that_name_a_password_are_closed(settings):
    lifecycle._save(settings)
    secrets.passwords_file(settings)
    kafka.write(settings)
    conf = spark_conf.write(settings)
    written = [path for path in settings.state_dir.rglob("*") if path.is_file()]
    assert HIDDEN in (conf / "spark-defaults.conf").read_text()
    assert {mode(path) for path in written} == {0o600}


def test_no_command_line_has_a_password(settings):
    services = lifecycle.services(settings)
    assert len(services) == 9
    hidden = {HIDDEN, HIDDEN.replace("-", "_"), *asdict(secrets.load(settings)).values()}
    assert not [each.name for each in services if any(word in " ".join(each.command) for word in hidden)]


def test_a_service_creates_files_that_nobody_else_can_read(tmp_path):
    program = "import pathlib, time; pathlib.Path('made').mkdir(); time.sleep(600)"
    made = tmp_path / "made"
    service = Service("one", tmp_path, tmp_path, (sys.executable, "-c", program), check=lambda _: made.exists())
    service.start()
    service.wait(Event())
    service.stop()
    assert mode(made) == 0o700


def test_airflow_creates_logs_that_nobody_else_can_read(settings):
    variables = environment(settings)
    names = [f"AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_{each}_PERMISSIONS" for each in ("FOLDER", "FILE")]
    assert [int(variables[name], 8) for name in names] == [0o700, 0o600]


def test_every_command_creates_files_that_nobody_else_can_read():
    CliRunner().invoke(app, ["jars", "--help"])
    assert os.umask(0) == private.UMASK


def test_hadoop_closes_a_lake_in_the_home_and_no_other(settings):
    name = "spark.hadoop.fs.permissions.umask-mode"
    assert spark_conf.properties(settings)[name] == "077"
    shared = settings.model_copy(update={"lake": "/data/lake"})
    assert name not in spark_conf.properties(shared)


def test_a_new_folder_appears_when_it_is_complete_and_nothing_is_left_of_one_that_is_not(tmp_path: Path) -> None:
    folder, partial = tmp_path / "new", tmp_path / "new.partial"
    partial.mkdir()
    (partial / "of a process that was killed").touch()
    with suppress(InterruptedError), private.new_folder(folder) as place:
        assert list(place.iterdir()) == []
        (place / "file").touch()
        raise InterruptedError
    assert list(tmp_path.iterdir()) == []
    with private.new_folder(folder) as place:
        (place / "file").touch()
        assert not folder.exists()
    assert [each.relative_to(tmp_path) for each in tmp_path.rglob("*")] == [Path("new"), Path("new/file")]
    assert folder.stat().st_mode & private.UMASK == 0
