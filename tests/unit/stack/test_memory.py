from __future__ import annotations

import sys
from threading import Event

import psutil
import pytest
from typer.testing import CliRunner

from segue.cli import app
from segue.settings import Settings, get_settings
from segue.stack import documents, lifecycle, memory, processes
from segue.stack.memory import Usage
from segue.stack.service import Service, State

HOLDS_60_MB = "import time; held = bytearray(b'x' * 60_000_000); print(len(held), flush=True); time.sleep(600)"


def test_every_service_of_the_stack_has_a_limit(tmp_path):
    services = lifecycle.services(Settings(home=tmp_path))
    assert all(service.memory_limit_mb for service in services)
    assert [service.memory_limit_mb for service in services if service.name == documents.NAME] == [1500]


def test_a_service_above_its_limit_is_unhealthy_and_says_so(tmp_path):
    greedy = Service("mongo", tmp_path, tmp_path, (sys.executable, "-c", HOLDS_60_MB), lambda _: True)
    greedy.start()
    try:
        greedy.wait(Event())
        while "60000000" not in greedy.last_lines(1):
            Event().wait(0.05)
        assert greedy.state() is State.HEALTHY
        limited = Service(**{**vars(greedy), "memory_limit_mb": 50})
        assert limited.state() is State.UNHEALTHY
        assert limited.usage().excess.endswith(
            "MB of memory, more than its limit of 50 MB: `segue up` restarts it, "
            "and SEGUE_MONGO_MEMORY_MB raises the limit."
        )
    finally:
        greedy.stop()


def test_a_service_that_answers_has_started_whatever_it_holds(tmp_path):
    greedy = Service(
        "mongo", tmp_path, tmp_path, (sys.executable, "-c", HOLDS_60_MB), lambda _: True, memory_limit_mb=1
    )
    greedy.start()
    try:
        greedy.wait(Event(), still_s=0)
        assert greedy.state() is State.UNHEALTHY
    finally:
        greedy.stop()


def test_up_does_not_end_the_tasks_of_a_scheduler_that_holds_too_much():
    mongo, scheduler = Usage("mongo", 10**10, 1500), Usage("scheduler", 10**10, 8048)
    assert mongo.is_to_be_started_anew
    assert scheduler.excess
    assert not scheduler.is_to_be_started_anew
    assert "`segue up` does not restart it" in scheduler.excess
    assert not Usage("mongo", 1, 1500).is_to_be_started_anew


def test_usage_measures_all_processes_of_a_stack_by_service(tmp_path):
    settings = Settings(home=tmp_path, corpus="own")
    service = Service(
        "live", settings.state_dir, tmp_path / "d", (sys.executable, "-c", HOLDS_60_MB), lambda _: True
    )
    service.start()
    try:
        service.wait(Event())
        [usage] = memory.usage(settings)
        assert (usage.service, usage.limit_mb) == ("live", 600)
        assert usage.held_bytes > 0
    finally:
        service.stop()
    assert memory.usage(settings) == []


def test_status_shows_the_sentence_and_the_document_server(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path))
    monkeypatch.setenv("SEGUE_CORPUS", "sample")  # tests of a stack leave theirs in the environment
    monkeypatch.setenv("SEGUE_DOCUMENT_SERVER", "secantusd-py")
    (tmp_path / "sample").mkdir()
    monkeypatch.setattr(processes, "pss_bytes", lambda _: 2_000_000_000)
    get_settings.cache_clear()
    told = CliRunner().invoke(app, ["status"]).output
    get_settings.cache_clear()
    assert "mongo holds 2,000 MB of memory, more than its limit of 1,500 MB" in told
    assert "The document server is secantusd-py: SecantusDB's Python server" in told
    assert "`make documents-server` builds the faster secantusd-rs" in told


@pytest.mark.parametrize(
    ("gigabytes", "limit_mb", "cache_mb"), [(1, 1500, 128), (6, 1500, 192), (64, 1500, 224), (64, 6000, 992)]
)
def test_the_cache_follows_the_memory_of_the_machine_and_the_limit(monkeypatch, gigabytes, limit_mb, cache_mb):
    monkeypatch.setattr(memory, "machine_bytes", lambda: gigabytes * 2**30)
    assert memory.document_cache_mb(Settings(mongo_memory_mb=limit_mb)) == cache_mb


def test_a_container_has_the_memory_of_its_group(tmp_path):
    limited, unlimited = tmp_path / "limited", tmp_path / "unlimited"
    limited.write_text("1073741824\n")
    unlimited.write_text("max\n")
    assert memory.machine_bytes([limited]) == 2**30
    assert memory.machine_bytes([unlimited, tmp_path / "none"]) == psutil.virtual_memory().total


def test_a_service_within_its_limit_has_nothing_to_say():
    assert Usage("kafka", 300_000_000, 800).excess is None
    assert Usage("airflow-migration", 10**12, None).excess is None
