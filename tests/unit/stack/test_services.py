from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from threading import Event

import psutil
import pytest
from tests.support.api_server import eventually

from segue.errors import StackError
from segue.stack import processes
from segue.stack import service as services
from segue.stack.pidfile import PidFile
from segue.stack.service import Service, State, pid_file

# Listens, and has a child in a session of its own that does not listen to SIGTERM.
SERVER = """
import signal, socket, subprocess, sys, time
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, start_new_session=True)
process.stdout.readline()
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    server.accept()[0].close()
"""


def listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def service(tmp_path, free_ports):
    [port] = free_ports(1)
    made = Service(
        name="server",
        state_dir=tmp_path,
        data=tmp_path / "data",
        command=(sys.executable, "-c", SERVER, str(port)),
        check=lambda _: listens(port),
        ports={"SEGUE_SERVER_PORT": port},
    )
    yield made
    for process in processes.of(made.state_dir):  # a stop would wait for the child
        process.kill()
    made.stop()


def running(service: Service) -> Service:
    service.start()
    service.wait(Event())
    return service


def test_a_service_starts_becomes_healthy_and_stops_with_its_children(service):
    assert service.state() is State.STOPPED
    running(service)
    assert service.state() is State.HEALTHY
    family = processes.of(service.state_dir)
    assert len(family) == 2
    service.stop()
    assert service.state() is State.STOPPED
    assert not any(map(processes.alive, family))


def test_what_a_killed_service_left_behind_is_ended_and_nothing_else(service):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        main = running(service).process()
        main.kill()
        main.wait()
        assert service.state() is State.DEAD
        [orphan] = processes.of(service.state_dir)
        service.stop()
        assert not processes.alive(orphan)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_whose_start_was_killed_before_it_was_noted_is_ended(service, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(PidFile, "write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            service.start()
    family = processes.of(service.state_dir)
    assert family
    assert not service.runs_as_wanted()
    service.stop()
    assert not any(map(processes.alive, family))


def test_a_pid_that_was_given_to_another_process_is_not_the_service(service):
    running(service)
    record = PidFile.read(pid_file(service.state_dir, "server"))
    pid_file(service.state_dir, "server").write_text(
        f'{{"pid": {psutil.Process().pid}, "created": {record.created}, "fingerprint": "{record.fingerprint}"}}'
    )
    assert service.process() is None
    assert not service.runs_as_wanted()
    service.stop()
    assert processes.of(service.state_dir) == []


def test_a_suspended_service_is_shown_as_such_and_can_be_resumed(service):
    process = running(service).process()
    assert not service.resume()
    process.suspend()
    eventually(lambda: process.status() == psutil.STATUS_STOPPED)  # its threads stop one after the other
    assert service.state() is State.SUSPENDED
    assert service.resume()
    service.wait(Event(), still_s=30)
    assert service.state() is State.HEALTHY
    assert service.process() == process


def test_a_suspended_service_ends_in_order(tmp_path):
    """Its handler for SIGTERM runs once it continues; it would be killed after 15 seconds otherwise."""
    ended = tmp_path / "ended"
    program = f"""
import signal, sys, time
from pathlib import Path
def end(*_):
    Path({str(ended)!r}).touch()
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""
    service = Service("orderly", tmp_path, tmp_path, (sys.executable, "-c", program), check=lambda _: True)
    service.start()
    while "ready" not in service.log.read_text():
        pass
    service.process().suspend()
    service.stop()
    assert ended.exists()


def test_a_service_that_runs_with_other_settings_is_not_as_wanted(service):
    running(service)
    assert service.runs_as_wanted()
    other = Service("server", service.state_dir, service.data, service.command, service.check, {"LEVEL": "debug"})
    assert not other.runs_as_wanted()


def test_a_service_that_runs_older_code_is_not_as_wanted(service):
    running(service)
    assert not replace(service, loads="the code after an upgrade").runs_as_wanted()


def test_a_service_of_a_version_that_did_not_note_its_code_is_not_as_wanted(service):
    running(service)
    record = pid_file(service.state_dir, "server")
    noted = json.loads(record.read_text())
    before = json.dumps([list(service.command), [], sorted(service.ports.items())])
    record.write_text(json.dumps(noted | {"fingerprint": hashlib.sha256(before.encode()).hexdigest()}))
    assert service.process()
    assert not service.runs_as_wanted()


def test_a_service_that_ends_at_once_is_reported_with_the_end_of_its_log(tmp_path):
    program = "raise SystemExit('no such folder')"
    service = Service("broken", tmp_path, tmp_path, (sys.executable, "-c", program), check=lambda _: False)
    service.start()
    with pytest.raises(StackError, match=r"(?s)broken ended while starting.*broken\.log.*no such folder"):
        service.wait(Event())


def test_a_service_that_never_answers_is_reported(tmp_path):
    program = "import time; time.sleep(600)"
    service = Service("deaf", tmp_path, tmp_path, (sys.executable, "-c", program), check=lambda _: False)
    service.start()
    with pytest.raises(StackError, match=r"deaf does not answer, and has logged nothing .* for 1 s"):
        service.wait(Event(), still_s=1)
    service.stop()


@pytest.mark.parametrize("work", ["print('a line', flush=True)", "sum(range(2_000_000))"], ids=["log", "CPU"])
def test_a_service_that_is_at_work_is_waited_for_however_long_it_takes(tmp_path, monkeypatch, work):
    monkeypatch.setattr(services, "WORK_CPU_S", 0.01)
    ready = tmp_path / "ready"
    program = f"""
import time
from pathlib import Path
for _ in range(30):
    {work}
    time.sleep(0.1)
Path({str(ready)!r}).touch()
time.sleep(600)
"""
    service = Service("slow", tmp_path, tmp_path, (sys.executable, "-c", program), check=lambda _: ready.exists())
    service.start()
    service.wait(Event(), still_s=2)
    assert service.state() is State.HEALTHY
    service.stop()


def test_a_taken_port_is_named_with_the_setting_that_changes_it(service):
    port = service.ports["SEGUE_SERVER_PORT"]
    service.check_ports()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(StackError, match=f"Port {port}, which server needs.*SEGUE_SERVER_PORT=PORT"),
    ):
        service.check_ports()


def test_services_keep_their_bytecode_although_the_caller_forbids_it(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("SEGUE_MUSIC", "/of/another/stack")
    monkeypatch.setenv("KEPT", "yes")

    surroundings = services.surroundings()

    assert surroundings["KEPT"] == "yes"
    assert {"PYTHONDONTWRITEBYTECODE", "SEGUE_MUSIC"}.isdisjoint(surroundings)
