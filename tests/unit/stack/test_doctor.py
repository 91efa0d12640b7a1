"""Files that were cut short are found, and repaired where that loses nothing more."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.support import live_corpus
from typer.testing import CliRunner

from segue.cli import app
from segue.connections import delta_log, sqlite_files
from segue.connections.model_version import Version
from segue.connections.registry import Registry
from segue.errors import StackError
from segue.recommender.model import NAME
from segue.settings import PROJECT_DIR, Settings, get_settings
from segue.stack import doctor, lifecycle, ports, processes, secrets


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path))
    for name, port in ports.for_a_stack().items():
        monkeypatch.setenv(f"SEGUE_{name.upper()}", str(port))
    get_settings.cache_clear()
    return get_settings()


def cut(file: Path, size: int = 10) -> None:
    file.write_bytes(file.read_bytes()[:size])


def repaired(settings: Settings) -> tuple[bool, str]:
    said: list[str] = []
    return doctor.repair(settings, said.append), "\n".join(said)


def kept(settings: Settings) -> list[str]:
    """Return the names of the files that were moved away."""
    return sorted(file.name for file in (settings.state_dir / "damaged").glob("*/*"))


def test_a_new_home_is_whole_and_stays_empty(settings: Settings) -> None:
    assert list(doctor.examine(settings)) == []
    assert not settings.state_dir.exists()


def test_the_command_names_what_is_damaged_and_repairs_it_when_asked(settings: Settings) -> None:
    lifecycle._save(settings)
    assert CliRunner().invoke(app, ["doctor"]).output == "Nothing is wrong with what was examined.\n"
    cut(settings.state_dir / "settings.json")
    seen = CliRunner().invoke(app, ["doctor"])
    assert seen.exit_code == 1
    assert "settings.json is damaged" in seen.output
    assert "segue doctor --repair" in seen.output
    mended = CliRunner().invoke(app, ["doctor", "--repair"])
    assert mended.exit_code == 0
    assert "`segue up` writes it again" in mended.output
    assert kept(settings) == ["settings.json"]
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0


def test_a_stack_that_runs_is_not_repaired(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "of", lambda _: ["a process"])
    with pytest.raises(StackError, match="Stop it with `segue down`"):
        repaired(settings)


def test_a_damaged_progress_of_imports_is_moved_away(settings: Settings) -> None:
    settings.state_dir.mkdir()
    (settings.state_dir / "imports.json").write_text('{"anna/')
    whole, said = repaired(settings)
    assert whole
    assert "Imports start from their first line" in said


def test_secrets_are_left_to_the_user(settings: Settings) -> None:
    secrets.load(settings)
    file = settings.state_dir / "airflow" / "secrets.json"
    cut(file)
    whole, said = repaired(settings)
    assert not whole
    assert "Restore it from a backup" in said
    assert file.stat().st_size == 10


def database(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE one (text)")
        connection.executemany("INSERT INTO one VALUES (?)", [(f"{row}" * 500,) for row in range(100)])
    return file


@pytest.mark.parametrize("size", [0, 50, 20_000])
def test_a_cut_database_of_airflow_is_named_and_left_to_the_user(settings: Settings, size: int) -> None:
    file = database(settings.state_dir / "airflow" / "airflow.db")
    assert list(doctor.examine(settings)) == []
    cut(file, size)
    whole, said = repaired(settings)
    assert not whole
    assert f"{file} is damaged: " in said
    assert kept(settings) == []


def test_a_cut_database_of_searches_is_moved_away_with_its_journal(settings: Settings) -> None:
    file = database(settings.state_dir / "mlflow" / "tuning.db")
    cut(file, 20_000)
    file.with_name("tuning.db-journal").touch()
    assert repaired(settings)[0]
    assert kept(settings) == ["tuning.db", "tuning.db-journal"]


def test_a_database_that_is_locked_is_not_damaged(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_files, "TIMEOUT_S", 0.01)
    file = database(settings.state_dir / "mlflow" / "tuning.db")
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            list(doctor.examine(settings))


@pytest.fixture
def registry(settings: Settings) -> Registry:
    return Registry(settings)


def promoted(registry: Registry) -> Version:
    version = registry.register(NAME, live_corpus.model(0).save, parameters={}, metrics={}, tags={}, report={})
    registry.promote(version)
    return version


TRAIN = """
import sys
from pathlib import Path
from tests.support import live_corpus
from segue.connections.registry import Registry
from segue.settings import Settings
registry = Registry(Settings(home=Path(sys.argv[1])))
model = live_corpus.model(0).save
registry.promote(registry.register("recommender", model, parameters={}, metrics={}, tags={}, report={}))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Promote a model in a process of its own, because MLflow keeps databases open."""
    home = tmp_path_factory.mktemp("trained")
    subprocess.run([sys.executable, "-c", TRAIN, str(home)], cwd=PROJECT_DIR, check=True)
    return Settings(home=home).state_dir / "mlflow" / "mlflow.db"


@pytest.fixture
def registry_file(settings: Settings, trained: Path) -> Path:
    """Give the settings' home a registry with a champion."""
    file = settings.state_dir / "mlflow" / "mlflow.db"
    shutil.copytree(trained.parent, file.parent)
    return file


@pytest.mark.parametrize("size", [0, 50, 400_000], ids=["empty", "header", "half"])
def test_a_cut_registry_is_replaced_by_the_copy_of_the_last_promotion(
    settings: Settings, registry_file: Path, size: int
) -> None:
    cut(registry_file, size)
    whole, said = repaired(settings)
    assert whole
    assert "Its copy mlflow.db.copy takes its place" in said
    assert str(Registry(settings).champion(NAME)) == "recommender/1"
    assert kept(settings) == ["mlflow.db"]


def test_a_cut_registry_without_a_whole_copy_is_moved_away(settings: Settings, registry_file: Path) -> None:
    cut(registry_file, 400_000)
    cut(sqlite_files.copy_of(registry_file), 400_000)
    whole, said = repaired(settings)
    assert whole
    assert "There is no whole copy, so run the DAGs" in said
    assert not registry_file.exists()


def damage(version: Version) -> None:
    cut(version.folder() / "popularity.npy")


def test_a_damaged_champion_gives_way_to_the_newest_whole_one_that_it_replaced(
    settings: Settings, registry: Registry
) -> None:
    first, second, third = (promoted(registry) for _ in range(3))
    assert list(doctor.examine(settings)) == []
    damage(third)
    damage(second)
    whole, said = repaired(settings)
    assert whole
    assert f"The champion {third} is damaged: " in said
    assert f"{first} is the champion again, in place of {third}. The DAG `recommender` trains a new one." in said
    assert registry.champion(NAME) == first


def test_a_damaged_champion_without_a_whole_predecessor_stays(settings: Settings, registry: Registry) -> None:
    first, second = promoted(registry), promoted(registry)
    registry.promote(first)  # now each has replaced the other
    damage(first)
    damage(second)
    whole, said = repaired(settings)
    assert not whole
    assert "Train a new one with the DAG `recommender`" in said
    assert registry.champion(NAME) == first


@pytest.fixture
def log(settings: Settings) -> Path:
    """The log of a table with four commits."""
    made = Path(settings.lake_uri) / "listens" / "_delta_log"
    made.mkdir(parents=True)
    for number in range(4):
        (made / f"{number:020}.json").write_text(json.dumps({"add": {"path": f"part-{number}"}}) + "\n")
        (made / f"{number:020}.crc").write_text("{}")
    return made


def test_cut_commits_at_the_end_of_a_log_are_moved_away(settings: Settings, log: Path) -> None:
    for number in (2, 3):
        cut(log / f"{number:020}.json")
    whole, said = repaired(settings)
    assert whole
    assert "Run the DAG `listens`: it writes the rows of this commit again" in said
    assert kept(settings) == [f"{number:020}.{suffix}" for number in (2, 3) for suffix in ("crc", "json")]
    delta_log.check(settings.lake_uri)
    assert len(list(log.iterdir())) == 4


def test_a_cut_commit_on_which_others_build_stays(settings: Settings, log: Path) -> None:
    cut(log / f"{1:020}.json")
    whole, said = repaired(settings)
    assert not whole
    assert "later commits build on it" in said
    assert len(list(log.iterdir())) == 8
