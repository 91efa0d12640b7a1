"""Start services of the stack again that have died.

The supervisor looks at the processes every second. A service has died if it was started, was not stopped by a
command, and its process is gone. The supervisor then ends what the process has left behind, and starts it again.
`segue up` and `segue down` keep it from doing so while they work.

A service that dies again and again is started after growing delays. After `LIMIT` restarts within `WINDOW_S` it is
given up, until somebody starts it with `segue up`.

While the disk is full, a service that dies is tried every `FULL_DELAY_S`, and never given up. When there is space
again, all are tried at once. A store that runs but has stopped writing is then ended, and started again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from segue import disk, locks, private
from segue.errors import SegueError, StackError
from segue.settings import Settings, get_settings
from segue.stack import processes, restarts, supervisor, suspensions
from segue.stack.pidfile import PidFile
from segue.stack.restarts import Restart
from segue.stack.service import Service, State, pid_file, reap

log = logging.getLogger(__name__)

POLL_S = 1.0
LIMIT = 8
WINDOW_S = 600.0
LONGEST_DELAY_S = 8.0
FULL_DELAY_S = 60.0
STORES = ("kafka", "mongo")
"""Services that a full disk may leave running and unable to write."""
CHECKED_S = 300.0
"""Longest time for which a service is checked after its start."""
UNABLE_S = 30.0
"""A store that does not work for this long after its disk was full is started again."""
BUSY = "A command is at work on the stack."

Describe = Callable[[], Mapping[str, Service]]


class Supervisor:
    """Starts the services of one stack again.

    Parameters
    ----------
    state_dir : Path
        Folder of the stack.
    describe : callable
        Returns the descriptions of the stack's services by name.
    clock : callable, optional
        Returns the current time in seconds.
    """

    def __init__(self, state_dir: Path, describe: Describe, clock: Callable[[], float] = time.monotonic) -> None:
        self._state_dir = state_dir
        self._describe = describe
        self._clock = clock
        self._tries: dict[str, list[float]] = {}
        self._given_up: set[str] = set()
        self._full: str | None = None
        self._doubted: dict[str, psutil.Process] = {}
        self._space_since = 0.0

    def look(self) -> None:
        """Start the services that have died. Do nothing while a command is at work on the stack."""
        reap()
        self._look_at_disk()
        dead = self._dead()
        self._given_up &= dead  # somebody has started the others
        if not self._doubted and not any(self._is_due(name) for name in dead):
            return
        try:
            with locks.exclusive(self._state_dir.parent / supervisor.LOCK, busy=BUSY):
                described = self._describe()
                self._end_unable(described)
                for name in sorted(self._dead() & described.keys()):
                    if self._is_due(name):
                        self._start(described[name])
        except StackError as error:
            if str(error) != BUSY:
                raise

    def _look_at_disk(self) -> None:
        before, self._full = self._full, disk.fullness_of_stack(self._state_dir)
        if self._full and not before:
            log.warning("%s New listens and jobs are refused until there is space.", self._full)
        if before and not self._full:
            log.warning("There is space again for %s.", self._state_dir)
            self._tries.clear()
            self._space_since = self._clock()
            running = {name: self._process(name) for name in STORES}
            self._doubted = {name: process for name, process in running.items() if process}

    def _end_unable(self, described: Mapping[str, Service]) -> None:
        """End the stores that do not work any more, so that they are started again like dead ones."""
        for name, process in list(self._doubted.items()):
            state = described[name].state()
            if self._process(name) != process or state is State.HEALTHY:
                del self._doubted[name]
            elif state is State.UNHEALTHY and self._clock() - self._space_since > UNABLE_S:
                log.warning("%s has not worked since its disk was full. It is ended.", name)
                processes.end(processes.of(self._state_dir, name), grace_s=5)
                del self._doubted[name]

    def _dead(self) -> set[str]:
        """Return the names of the services that were started, not stopped, and do not run."""
        names = {path.stem for path in (self._state_dir / "run").glob("*.json")} - {supervisor.NAME}
        return {name for name in names if not self._process(name) and pid_file(self._state_dir, name).exists()}

    def _process(self, name: str) -> psutil.Process | None:
        record = PidFile.read(pid_file(self._state_dir, name))
        return record.process() if record else None

    def _is_due(self, name: str) -> bool:
        tries = self._recent(name)
        if name in self._given_up or not tries:
            return name not in self._given_up
        delay_s = FULL_DELAY_S if self._full else min(2.0 ** (len(tries) - 1), LONGEST_DELAY_S)
        return self._clock() - tries[-1] >= delay_s

    def _recent(self, name: str) -> list[float]:
        since = self._clock() - WINDOW_S
        kept = self._tries[name] = [at for at in self._tries.get(name, []) if at > since]
        return kept

    def _start(self, service: Service) -> None:
        tries = self._recent(service.name)
        given_up = len(tries) >= LIMIT and not self._full
        with suppress(OSError):  # the disk may be full
            restarts.record(self._state_dir, Restart(service.name, time.time(), given_up))
        if given_up:
            self._given_up.add(service.name)
            self._tries[service.name] = []
            log.error(
                "%s has ended %d times within %.0f minutes, and is not started again. Its log %s says why. "
                "`segue up` starts it again. The end of the log:\n%s",
                *(service.name, LIMIT + 1, WINDOW_S / 60, service.log, service.last_lines(10)),
            )
            return
        tries.append(self._clock())
        log.warning("%s has ended. It is started again; its log is %s.", service.name, service.log)
        try:
            if self._full:
                with service.log.open("a") as file:
                    file.write(f"{self._full}\n")
            processes.end(processes.of(self._state_dir, service.name), grace_s=5)
            service.start()
            threading.Thread(target=_check, args=(service,), daemon=True).start()
        except (OSError, SegueError) as error:  # such as a full disk: the next try follows
            log.warning("%s cannot be started: %s", service.name, error)


def _check(service: Service) -> None:
    """Check a service until it is healthy. The check of Kafka also creates the user, if its folder was deleted."""
    until = time.monotonic() + CHECKED_S
    while service.state() is State.UNHEALTHY and time.monotonic() < until:
        time.sleep(POLL_S)


def supervise(settings: Settings, stopping: threading.Event) -> None:
    """Supervise the stack until `stopping` is set."""
    watched = (settings.state_dir, supervisor.NAME, stopping)
    threading.Thread(target=suspensions.watch, args=watched, daemon=True).start()
    supervisor.heartbeat(settings.state_dir).parent.mkdir(parents=True, exist_ok=True)
    working = Supervisor(settings.state_dir, lambda: _described(settings))
    while not stopping.wait(POLL_S):
        try:
            working.look()
        except Exception:  # of any kind, because nobody would notice that the supervisor has ended
            log.exception("The services could not be looked at.")
        supervisor.heartbeat(settings.state_dir).touch()


def _described(settings: Settings) -> Mapping[str, Service]:
    from segue.stack import lifecycle  # it needs much memory, and most of the time nothing has died

    return {each.name: each for each in lifecycle.services(settings)}


def main() -> None:
    """Supervise the stack of the environment's settings, until SIGTERM."""
    os.umask(private.UMASK)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it logs each connection
    supervise(get_settings(), threading.Event())


if __name__ == "__main__":
    main()
