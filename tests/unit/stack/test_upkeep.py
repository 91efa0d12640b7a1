from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segue.settings import Settings
from segue.stack import upkeep

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # half an hour before clocks go forward in Europe
BEFORE = NOW - timedelta(days=90)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


def log(folder: Path, name: str, days_ago: float) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"12345")
    at = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(file, (at, at))
    return file


def test_old_logs_go_with_the_folders_that_they_leave_empty(logs: Path) -> None:
    log(logs, "dag_id=corpus/run_id=old/task_id=extract/attempt=1.log", 91)
    log(logs, "dag_id=corpus/run_id=old/task_id=extract/attempt=2.log", 90.01)
    log(logs, "dag_id=listens/run_id=old/task_id=ingest/attempt=1.log", 100)
    kept = log(logs, "dag_id=corpus/run_id=new/task_id=extract/attempt=1.log", 89.99)
    assert upkeep.remove_logs(logs, BEFORE) == (3, 15)
    assert [path for path in logs.rglob("*") if path.is_file()] == [kept]
    assert [path.name for path in logs.iterdir()] == ["dag_id=corpus"]
    assert [path.name for path in (logs / "dag_id=corpus").iterdir()] == ["run_id=new"]


def test_a_folder_that_a_task_has_just_made_stays(logs: Path) -> None:
    log(logs, "dag_id=corpus/run_id=old/attempt=1.log", 91)
    (logs / "dag_id=corpus" / "run_id=new").mkdir()
    upkeep.remove_logs(logs, BEFORE)
    assert [path.name for path in (logs / "dag_id=corpus").iterdir()] == ["run_id=new"]


def test_links_are_not_followed_and_the_folder_itself_stays(logs: Path, tmp_path: Path) -> None:
    elsewhere = log(tmp_path, "elsewhere/a.log", 100)
    log(logs, "old.log", 100)
    (logs / "latest").symlink_to(elsewhere.parent)
    upkeep.remove_logs(logs, BEFORE)
    assert elsewhere.exists()
    (logs / "latest").unlink()
    log(logs, "old.log", 100)
    upkeep.remove_logs(logs, BEFORE)
    assert list(logs.iterdir()) == []


def test_the_oldest_run_that_has_not_finished_is_found(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, airflow_database=f"sqlite:///{tmp_path}/airflow.db")
    with closing(sqlite3.connect(tmp_path / "airflow.db")) as database, database:
        database.execute("CREATE TABLE dag_run (state TEXT, start_date TIMESTAMP)")
        assert upkeep._oldest_unfinished(settings) is None
        database.commit()
        rows = [("success", "2024-01-01"), ("queued", None), ("running", "2026-03-01"), ("running", "2026-02-01")]
        database.executemany(
            "INSERT INTO dag_run VALUES (?, ?)", [(state, day and f"{day} 00:00:00.000000") for state, day in rows]
        )
        database.commit()
        assert upkeep._oldest_unfinished(settings) == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_large_log_of_a_service_begins_anew_while_the_service_writes(tmp_path: Path) -> None:
    (tmp_path / "small.log").write_text("few")
    with (tmp_path / "kafka.log").open("ab") as service:
        service.write(b"before\n" * 10)
        service.flush()
        assert upkeep.rotate_logs(tmp_path, limit_bytes=50) == [tmp_path / "kafka.old.log"]
        service.write(b"after\n")
    assert (tmp_path / "kafka.log").read_bytes() == b"after\n"
    assert (tmp_path / "kafka.old.log").read_bytes() == b"before\n" * 10
    assert upkeep.rotate_logs(tmp_path, limit_bytes=50) == [], "the copy is not copied"
    assert upkeep.rotate_logs(tmp_path / "nowhere") == []
