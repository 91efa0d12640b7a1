"""Real processes are killed, and the supervisor starts them again."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from tests.support.api_server import eventually

from segue import disk, locks
from segue.settings import Settings
from segue.stack import lifecycle, restarts, supervision, supervisor
from segue.stack.restarts import Restart
from segue.stack.service import Service, State
from segue.stack.supervision import LIMIT, Supervisor

IDLE = "import time; time.sleep(600)"
CRASHING = "raise SystemExit('no such folder')"


def described(state_dir: Path, name: str, program: str) -> Service:
    return Service(name, state_dir, state_dir / name, (sys.executable, "-c", program), check=lambda _: True)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "sample"
    folder.mkdir()
    return folder


@pytest.fixture
def idle(state_dir: Path) -> Iterator[Service]:
    made = described(state_dir, "idle", IDLE)
    made.start()
    yield made
    made.stop()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def kill(service: Service) -> None:
    process = service.process()
    assert process
    process.kill()
    process.wait()


def test_a_service_that_was_killed_is_started_again(idle: Service, state_dir: Path) -> None:
    watching = Supervisor(state_dir, lambda: {"idle": idle})
    before = idle.process()
    watching.look()
    assert idle.process() == before, "it runs"
    kill(idle)
    assert idle.state() is State.DEAD
    watching.look()
    assert idle.state() is State.HEALTHY
    assert idle.process() != before
    [said] = restarts.remarks(state_dir)
    assert said.startswith("idle ended and was started again at ")


def test_what_a_process_needs_is_written_before_it_is_started_again(state_dir: Path) -> None:
    needed = state_dir / "idle" / "needed"
    program = f"open({str(needed)!r}); {IDLE}"
    idle = replace(described(state_dir, "idle", program), prepare=needed.touch)
    idle.start()
    kill(idle)
    shutil.rmtree(idle.data)
    Supervisor(state_dir, lambda: {"idle": idle}).look()
    assert idle.state() is State.HEALTHY
    assert needed.exists()
    idle.stop()


def test_no_zombie_is_left_of_what_the_supervisor_has_started(idle: Service, state_dir: Path) -> None:
    watching = Supervisor(state_dir, lambda: {"idle": idle})
    process = idle.process()
    assert process
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: watching.look() or not psutil.pid_exists(process.pid))


def test_a_service_that_was_stopped_stays_stopped(idle: Service, state_dir: Path) -> None:
    idle.stop()
    Supervisor(state_dir, lambda: {"idle": idle}).look()
    assert idle.state() is State.STOPPED


def test_nothing_is_started_while_a_command_is_at_work(idle: Service, state_dir: Path) -> None:
    kill(idle)
    watching = Supervisor(state_dir, lambda: {"idle": idle})
    with locks.exclusive(state_dir.parent / supervisor.LOCK):
        watching.look()
        assert idle.state() is State.DEAD
    watching.look()
    assert idle.state() is State.HEALTHY


def test_a_service_that_crashes_at_once_is_given_up_and_tried_again_after_somebody_has_started_it(
    state_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    crashing, clock = described(state_dir, "crashing", CRASHING), Clock()
    watching = Supervisor(state_dir, lambda: {"crashing": crashing}, clock)
    starts: list[float] = []

    def look_for(seconds: int) -> None:
        for _ in range(seconds):
            clock.now += 1
            if (process := crashing.process()) is not None:
                process.wait()
            before = crashing.log.read_text().count("starting crashing")
            watching.look()
            if crashing.log.read_text().count("starting crashing") > before:
                starts.append(clock.now)

    crashing.start()
    look_for(90)
    assert len(starts) == LIMIT
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps == sorted(gaps)
    assert max(gaps) < 10, "each time it is started again within 10 seconds"
    [error] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert f"crashing has ended {LIMIT + 1} times within 10 minutes, and is not started again" in error
    assert "no such folder" in error
    assert "`segue up` starts it again" in restarts.remarks(state_dir)[0]

    started_by_hand = described(state_dir, "crashing", IDLE)
    started_by_hand.start()
    watching.look()
    kill(started_by_hand)
    watching.look()
    assert "started again 10 times" in restarts.remarks(state_dir)[0]
    started_by_hand.stop()


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Return a function that fills the disk, or makes space with None."""

    def fill(full: str | None) -> None:
        monkeypatch.setattr(disk, "fullness", lambda _: full)

    fill(None)
    return fill


def test_on_a_full_disk_nobody_is_given_up_and_all_are_tried_at_once_when_there_is_space(
    state_dir: Path, caplog: pytest.LogCaptureFixture, fill: Callable[[str | None], None]
) -> None:
    crashing, clock = described(state_dir, "kafka", CRASHING), Clock()
    current = {"kafka": crashing}
    watching = Supervisor(state_dir, lambda: current, clock)
    crashing.start()
    fill("Disk full: /srv has 0 MB left.")
    for _ in range(60):  # fifteen minutes
        clock.now += 15
        if (process := crashing.process()) is not None:
            process.wait()
        watching.look()
    log = crashing.log.read_text()
    assert LIMIT < log.count("starting kafka") <= 16, "once a minute"
    assert "Disk full: /srv has 0 MB left." in log
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "Disk full: /srv has 0 MB left. New listens and jobs are refused until there is space."
    assert not any(record.levelname == "ERROR" for record in caplog.records)

    fill(None)
    able = current["kafka"] = described(state_dir, "kafka", IDLE)
    if (process := crashing.process()) is not None:
        process.wait()
    clock.now += 1
    watching.look()
    assert able.state() is State.HEALTHY
    assert f"There is space again for {state_dir}." in [record.getMessage() for record in caplog.records]
    able.stop()


def test_a_store_that_stopped_writing_on_a_full_disk_is_started_again_when_there_is_space(
    state_dir: Path, fill: Callable[[str | None], None]
) -> None:
    able = False
    store = Service("mongo", state_dir, state_dir / "mongo", (sys.executable, "-c", IDLE), check=lambda _: able)
    store.start()
    before, clock = store.process(), Clock()
    watching = Supervisor(state_dir, lambda: {"mongo": store}, clock)

    def look_for(seconds: int) -> None:
        for _ in range(seconds):
            clock.now += 1
            watching.look()

    look_for(30)
    assert store.process() == before, "its disk was not full: somebody else is the cause"
    fill("Disk full: /srv has 0 MB left.")
    look_for(30)
    assert store.process() == before, "it could not write after a start either"
    fill(None)
    look_for(25)
    assert store.process() == before, "it may be catching up"
    look_for(10)
    assert store.process() not in (None, before)
    able = True
    after = store.process()
    look_for(200)
    assert store.process() == after
    store.stop()


def test_a_service_is_started_again_even_if_there_is_no_space_to_record_it(
    idle: Service, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restarts, "record", fail)
    kill(idle)
    Supervisor(state_dir, lambda: {"idle": idle}).look()
    assert idle.state() is State.HEALTHY


def test_what_cannot_be_started_is_tried_again(idle: Service, state_dir: Path) -> None:
    broken = Service("idle", state_dir, state_dir, ("/no/such/program",), check=lambda _: True)
    kill(idle)
    clock = Clock()
    current = {"idle": broken}
    watching = Supervisor(state_dir, lambda: current, clock)
    watching.look()
    assert idle.state() is State.DEAD
    current["idle"] = idle
    clock.now = 10
    watching.look()
    assert idle.state() is State.HEALTHY


def test_it_works_until_it_is_told_to_stop_and_survives_any_error(
    idle: Service, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, stopping, calls = Settings(home=state_dir.parent, corpus="sample"), threading.Event(), []

    def services(_: Settings) -> list[Service]:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a bug")
        return [idle]

    monkeypatch.setattr(supervision, "POLL_S", 0.05)
    monkeypatch.setattr(lifecycle, "services", services)
    thread = threading.Thread(target=supervision.supervise, args=(settings, stopping))
    thread.start()
    began = time.time()
    os.kill(idle.process().pid, signal.SIGKILL)  # type: ignore[union-attr]
    eventually(lambda: len(calls) > 1 and idle.state() is State.HEALTHY)
    eventually(lambda: supervisor.heartbeat(state_dir).stat().st_mtime >= began)
    stopping.set()
    thread.join()


def test_restarts_of_the_last_day_are_told(state_dir: Path) -> None:
    now = 1_764_356_160.0
    assert restarts.remarks(state_dir, now) == []
    restarts.record(state_dir, Restart("kafka", now - 2 * restarts.SHOWN_S))
    for before in (7200, 60):
        restarts.record(state_dir, Restart("mongo", now - before))
    assert restarts.remarks(state_dir, now) == [
        "mongo ended and was started again 2 times in the last day, most recently at 18:55 UTC. "
        "`segue logs mongo` shows why."
    ]
    (state_dir / "restarts.json").write_text("[{")
    assert restarts.remarks(state_dir, now) == []
