from __future__ import annotations

import asyncio
from collections import namedtuple
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from segue import disk
from segue.api.context import full_disk
from segue.connections import spark
from segue.listens.writer import EventWriter, NotWritten
from segue.settings import Settings, get_settings

Usage = namedtuple("Usage", ["total", "used", "free"])
PANIC = RuntimeError('WiredTiger error: WtError { code: -31804, message: "WT_PANIC: WiredTiger library panic" }')


@pytest.fixture
def free(monkeypatch):
    """Return a function that sets how many bytes the disk has left."""
    return lambda left: monkeypatch.setattr(
        disk, "shutil", SimpleNamespace(disk_usage=lambda _: Usage(0, 0, left))
    )


def test_an_internal_error_is_explained_by_a_full_disk_only_if_the_disk_is_full(tmp_path, free):
    free(3_000_000)
    told = disk.explanation(PANIC, tmp_path / "not made yet")
    assert told.startswith(f"Disk full: {tmp_path / 'not made yet'} has 3 MB left. Free some space")
    assert "A retry of this task repeats its writes" in told
    assert disk.explanation(RuntimeError("no such column"), tmp_path) is None
    free(10**11)
    assert disk.explanation(PANIC, tmp_path) is None
    assert disk.fullness(tmp_path) is None


def test_a_service_may_have_a_disk_of_its_own(tmp_path, monkeypatch):
    full = tmp_path / "airflow"
    full.mkdir()
    free = SimpleNamespace(disk_usage=lambda folder: Usage(0, 0, 0 if folder == full else 10**11))
    monkeypatch.setattr(disk, "shutil", free)
    assert disk.fullness_of_stack(tmp_path) == f"Disk full: {full} has 0 MB left."
    assert disk.fullness_of_stack(tmp_path, disk.OF_LISTENS) is None
    full.rmdir()
    assert disk.fullness_of_stack(tmp_path) is None


def test_a_full_disk_of_another_machine_is_believed(tmp_path, free):
    free(10**11)
    assert disk.explanation(OSError(28, "No space left on device"), tmp_path).startswith("Disk full: a service")


def test_a_job_on_a_full_disk_ends_with_one_sentence(monkeypatch, capsys, tmp_path, free):
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path))
    get_settings.cache_clear()
    stopped = MagicMock()
    stopped.sparkContext.getCheckpointDir.return_value = None
    monkeypatch.setattr(spark, "session", lambda _: stopped)

    def meet_a_full_disk() -> None:
        free(0)
        raise PANIC

    free(10**11)
    with pytest.raises(SystemExit) as ended, spark.job("publish"):
        meet_a_full_disk()
    assert ended.value.code == spark.TRY_AGAIN
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"Disk full: {tmp_path / 'sample' / 'mongo'} has 0 MB left.")
    free(10**11)
    with pytest.raises(RuntimeError, match="WT_PANIC"), spark.job("publish"):
        raise PANIC
    free(disk.LOW_BYTES - 1)
    with pytest.raises(SystemExit) as ended, spark.job("publish"):
        pytest.fail("the job has begun")
    assert ended.value.code == spark.TRY_AGAIN
    assert f"Disk full: {tmp_path / 'sample'} has 268 MB left." in capsys.readouterr().out
    get_settings.cache_clear()


def test_listens_are_refused_before_the_disk_of_the_embedded_kafka_is_full(tmp_path, free):
    free(disk.LOW_BYTES - 1)
    refused = full_disk(Settings(home=tmp_path))
    assert refused == f"Disk full: {tmp_path / 'sample'} has 268 MB left."
    assert full_disk(Settings(home=tmp_path, kafka_bootstrap_servers="elsewhere:9092")) is None

    async def write() -> None:
        await EventWriter({}, refusal=lambda: refused).write("listens", [(b"k", b"v")])

    with pytest.raises(NotWritten, match="268 MB left"):
        asyncio.run(write())
    free(10**11)
    assert full_disk(Settings(home=tmp_path)) is None
