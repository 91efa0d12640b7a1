"""Real processes are suspended for a moment, and the record says which and for how long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.api_server import eventually

from segue.stack import suspensions
from segue.stack.service import Service
from segue.stack.suspensions import Suspension, recent

WATCH = """
import sys
from pathlib import Path
from threading import Event
from segue.stack.suspensions import watch
watch(Path(sys.argv[1]), "watcher", Event(), poll_s=0.1, still_s=1.0)
"""
IDLE = "import time; time.sleep(600)"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service("idle", tmp_path, tmp_path, (sys.executable, "-c", IDLE), check=lambda _: True)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def watcher(service: Service) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", WATCH, str(service.state_dir)])
    yield process
    process.kill()
    process.wait()


def test_a_service_that_was_suspended_is_recorded(
    watcher: subprocess.Popen[bytes], service: Service, tmp_path: Path
) -> None:
    assert watcher.poll() is None
    began, process = time.time(), service.process()
    assert process

    def suspended_for_a_moment() -> list[Suspension]:
        process.suspend()
        time.sleep(0.5)
        process.resume()
        time.sleep(0.3)
        return recent(tmp_path, time.time())

    found = eventually(suspended_for_a_moment)  # the watcher takes a moment to start
    assert {each.service for each in found} == {"idle"}
    assert began <= found[0].since < found[0].until <= time.time()
    assert recent(tmp_path, time.time() + 2 * suspensions.SHOWN_S) == []


def test_a_watcher_that_was_suspended_itself_records_that(
    watcher: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    def suspended() -> list[Suspension]:
        os.kill(watcher.pid, signal.SIGSTOP)
        time.sleep(2)
        os.kill(watcher.pid, signal.SIGCONT)
        time.sleep(0.5)
        return recent(tmp_path, time.time())

    found = eventually(suspended)
    assert {each.service for each in found} == {"watcher, or the whole machine,"}
    assert all(each.until - each.since > 1 for each in found)


def test_it_is_shown_in_a_sentence() -> None:
    shown = str(Suspension("kafka", 1_764_355_500, 1_764_356_160))
    assert shown == "kafka was suspended for 11.0 minutes, from 28 November 18:45 to 18:56 UTC."
