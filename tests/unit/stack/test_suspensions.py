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
BUSY = "while True: pass"
IDLE = "import time; time.sleep(600)"


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    for name, program in {"busy": BUSY, "idle": IDLE}.items():
        Service(name, tmp_path, tmp_path, (sys.executable, "-c", program), check=lambda _: True).start()
    process = subprocess.Popen([sys.executable, "-c", WATCH, str(tmp_path)])
    yield process
    process.kill()
    process.wait()
    for name in ("busy", "idle"):
        Service(name, tmp_path, tmp_path, (), check=lambda _: True).stop()


def pid_of(name: str, state_dir: Path) -> int:
    process = Service(name, state_dir, state_dir, (), check=lambda _: True).process()
    assert process
    return process.pid


def test_a_service_that_was_suspended_is_recorded(watcher: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert watcher.poll() is None
    began = time.time()

    def suspended_for_a_moment() -> list[Suspension]:
        os.kill(pid_of("busy", tmp_path), signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(pid_of("busy", tmp_path), signal.SIGCONT)
        time.sleep(0.3)
        return recent(tmp_path, time.time())

    found = eventually(suspended_for_a_moment)  # the watcher takes a moment to start
    assert {each.service for each in found} == {"busy"}
    assert began <= found[0].since < found[0].until <= time.time()
    assert recent(tmp_path, time.time() + 2 * suspensions.SHOWN_S) == []


def test_a_watcher_that_was_suspended_too_finds_who_has_done_nothing_meanwhile(
    watcher: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    def both_suspended() -> list[Suspension]:
        for pid in (watcher.pid, pid_of("idle", tmp_path)):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(2)
        for pid in (pid_of("idle", tmp_path), watcher.pid):
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.5)
        return recent(tmp_path, time.time())

    found = eventually(both_suspended)
    assert {each.service for each in found} == {"idle", "watcher"}
    assert all(each.until - each.since > 1 for each in found)


def test_it_is_shown_in_a_sentence() -> None:
    shown = str(Suspension("kafka", 1_764_355_500, 1_764_356_160))
    assert shown == "kafka was suspended for 11.0 minutes, from 28 November 18:45 to 18:56 UTC."
