"""One embedded service: a process in its own session, with a health check, a log file and a data folder."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import Event

import psutil

from segue import private
from segue.errors import StackError
from segue.patience import Patience
from segue.stack import ports, processes
from segue.stack.memory import Usage
from segue.stack.pidfile import PidFile, fingerprint

LOG_LIMIT_BYTES = 20_000_000
STOP_GRACE_S = 15
POLL_S = 0.25
WORK_CPU_S = 15
"""A service that uses this much CPU time in a minute is at work: a quarter of a core."""

_started: list[subprocess.Popen[bytes]] = []  # kept for `reap`


class State(StrEnum):
    """The state of a service."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    SUSPENDED = "suspended"
    DEAD = "dead"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Service:
    """A long-running process with its health check.

    Parameters
    ----------
    name : str
        Name in messages and in file names.
    state_dir : Path
        Folder of the stack, with ``logs/<name>.log`` and ``run/<name>.json``.
    data : Path
        Working folder of the process, for its data.
    command : tuple of str
        Program and arguments.
    check : callable
        Called with the time of the start. Returns whether the service has worked since then.
    environment : mapping of str to str
        Variables in addition to those of the caller.
    ports : mapping of str to int
        Ports on which it listens, by the environment variable that changes each.
    loads : str
        Describes the code and the configuration files that the process loads at its start. If they have changed
        since, the process does not run as wanted.
    memory_limit_mb : int, optional
        Memory limit in MB (PSS, with child processes). Above it the service is unhealthy.
    prepare : callable, optional
        Called before each start. Writes what the process needs in its folder.
    """

    name: str
    state_dir: Path
    data: Path
    command: tuple[str, ...]
    check: Callable[[datetime], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    loads: str = ""
    memory_limit_mb: int | None = None
    prepare: Callable[[], None] = lambda: None

    @property
    def log(self) -> Path:
        """File with the output of the process."""
        return self.state_dir / "logs" / f"{self.name}.log"

    def process(self) -> psutil.Process | None:
        """Return the main process if it runs."""
        record = PidFile.read(pid_file(self.state_dir, self.name))
        return record.process() if record else None

    def state(self) -> State:
        """Return the state, according to the health check and the memory limit."""
        answered = self._asked()
        return State.UNHEALTHY if answered is State.HEALTHY and self.usage().excess else answered

    def _asked(self) -> State:
        """Return the state, according to the health check."""
        process = self.process()
        if process is None:
            return State.DEAD if pid_file(self.state_dir, self.name).exists() else State.STOPPED
        if processes.suspended(process):
            return State.SUSPENDED
        answers = self.check(datetime.fromtimestamp(process.create_time(), UTC))
        return State.HEALTHY if answers else State.UNHEALTHY

    def usage(self) -> Usage:
        """Measure the memory of the process and its children."""
        return Usage(self.name, processes.pss_bytes(processes.of(self.state_dir, self.name)), self.memory_limit_mb)

    def runs_as_wanted(self) -> bool:
        """Return whether the process runs and was started with these settings and this code."""
        record = PidFile.read(pid_file(self.state_dir, self.name))
        return record is not None and record.fingerprint == self._fingerprint and record.process() is not None

    def start(self) -> None:
        """Start the process, detached from this process and from Ctrl-C in its terminal."""
        for folder in (self.log.parent, self.data):
            folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as log:
            log.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} starting {self.name} ---\n".encode())
            log.flush()
            child = subprocess.Popen(
                self.command,
                env=surroundings() | dict(self.environment) | processes.marks(self.state_dir, self.name),
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=private.UMASK,
            )
        _started.append(child)
        PidFile.write(pid_file(self.state_dir, self.name), child.pid, self._fingerprint)

    def wait(self, called_off: Event, still_s: float = 600) -> None:
        """Wait until the service is healthy, as long as it makes progress.

        Parameters
        ----------
        called_off : Event
            Ends the wait early.
        still_s : float
            Longest time in which the service neither logs anything nor uses `WORK_CPU_S` of CPU.

        Raises
        ------
        StackError
            If the process ends, makes no progress for `still_s`, or `called_off` is set.
        """
        patience = Patience(still_s)
        slow = {State.UNHEALTHY, State.SUSPENDED}
        while (state := self._asked()) in slow and not patience.is_over(self._work()):
            if called_off.wait(POLL_S):
                raise StackError(f"The start of {self.name} was called off.")
        if state is State.HEALTHY:
            return
        still = f"does not answer, and has logged nothing and hardly used a CPU for {still_s:.0f} s"
        what = still if state in slow else "ended while starting"
        raise StackError(f"{self.name} {what}. The end of its log {self.log}:\n{self.last_lines(10)}")

    def _work(self) -> tuple[int, int]:
        """Return the amounts of log and of CPU time. Both grow in a service that starts or is busy."""
        logged = self.log.stat().st_size if self.log.exists() else 0
        with suppress(psutil.Error):
            if process := self.process():
                times = process.cpu_times()
                return logged, int((times.user + times.system) / WORK_CPU_S)
        return logged, 0

    def resume(self) -> bool:
        """Let the process and its children continue if they are suspended. Return whether any was."""
        return processes.resume(processes.of(self.state_dir, self.name))

    def stop(self) -> None:
        """End the process and all its children."""
        stop(self.state_dir, self.name)

    def check_ports(self) -> None:
        """Check that no other process listens on the ports.

        Raises
        ------
        StackError
            If one does. The message names the port and the variable that changes it.
        """
        for variable, port in self.ports.items():
            if why := ports.fault(port):
                raise StackError(
                    f"Port {port}, which {self.name} needs, cannot be used ({why}). "
                    f"Stop what listens there, or choose another port: {variable}=PORT."
                )

    @property
    def _fingerprint(self) -> str:
        return fingerprint(self.command, self.environment, self.ports, self.loads)

    def last_lines(self, count: int) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 400 * count))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])


def beats(heartbeat: Path, started: datetime, fresh_s: float) -> bool:
    """Return whether a service has touched its heartbeat since it was started, and in the last seconds.

    Parameters
    ----------
    heartbeat : Path
        The file that the service touches. It need not exist yet.
    started : datetime
    fresh_s : float
        If the heartbeat is older than this, the service hangs.
    """
    try:
        beaten = heartbeat.stat().st_mtime
    except FileNotFoundError:
        return False
    return beaten >= started.timestamp() and time.time() - beaten < fresh_s


def reap() -> None:
    """Let the system forget the processes that this process has started and that have ended."""
    _started[:] = [child for child in _started if child.poll() is None]


def stop(state_dir: Path, name: str) -> None:
    """End the service `name` of a stack: its main process first, then its remaining processes."""
    record = PidFile.read(pid_file(state_dir, name))
    main = record.process() if record else None
    if main is not None:
        processes.end([main], STOP_GRACE_S)
    processes.end(processes.of(state_dir, name), grace_s=5)
    pid_file(state_dir, name).unlink(missing_ok=True)


def pid_file(state_dir: Path, name: str) -> Path:
    """Return the file that records a service's process. It exists from the start to the orderly stop."""
    return state_dir / "run" / f"{name}.json"


def surroundings() -> dict[str, str]:
    """Return the caller's environment, without the settings of another stack, and without a proxy for loopback.

    Python writes its bytecode even if the caller forbids it. Otherwise each task of Airflow, which is a process of
    its own, would compile thousands of modules anew.
    """
    left_out = ("SEGUE_", "AIRFLOW_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,localhost"]))
    # In the locale C, Java cannot open a file with an umlaut in its name.
    return kept | {"NO_PROXY": direct, "no_proxy": direct, "LC_ALL": "C.UTF-8"}
