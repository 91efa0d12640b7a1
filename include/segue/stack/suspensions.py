"""Record when services were suspended, for `segue status`.

A suspended process notices nothing, and the system keeps no record. So the supervisor looks at all services of its
stack every few seconds. When it was suspended itself, its clock shows it. Then the whole machine probably was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import psutil

from segue.stack import journal, processes
from segue.stack.pidfile import PidFile

POLL_S = 5.0
STILL_S = 30.0
"""A watcher that has not looked for this long was suspended, however busy the machine is."""
KEPT = 40
SHOWN_S = 24 * 60 * 60


@dataclass(frozen=True)
class Suspension:
    """A time in which a service was suspended, in seconds since 1970."""

    service: str
    since: float
    until: float

    def __str__(self) -> str:
        since, until = (datetime.fromtimestamp(at, UTC) for at in (self.since, self.until))
        between = f"from {since:%d %B %H:%M} to {until:%H:%M} UTC"
        return f"{self.service} was suspended for {(self.until - self.since) / 60:.1f} minutes, {between}."


def recent(state_dir: Path, now: float) -> list[Suspension]:
    """Return the recorded suspensions that ended in the day before `now`, oldest first."""
    return [each for each in journal.read(_file(state_dir), Suspension) if each.until > now - SHOWN_S]


def watch(state_dir: Path, itself: str, ended: Event, poll_s: float = POLL_S, still_s: float = STILL_S) -> None:
    """Record the suspensions of a stack's services until `ended` is set.

    Parameters
    ----------
    state_dir : Path
        Folder of the stack.
    itself : str
        Name of the service that watches.
    ended : Event
    poll_s, still_s : float
        As `POLL_S` and `STILL_S`.
    """
    looked, at = _clock(), time.time()
    since: dict[str, float] = {}
    while not ended.wait(poll_s):
        before, asleep_s = at, _clock() - looked
        looked, at = _clock(), time.time()
        if asleep_s > still_s:
            journal.add(_file(state_dir), Suspension(f"{itself}, or the whole machine,", before, at), KEPT)
        stopped = {name for name, process in _services(state_dir) if processes.suspended(process)}
        for name in since.keys() - stopped:
            journal.add(_file(state_dir), Suspension(name, since.pop(name), at), KEPT)
        since |= dict.fromkeys(stopped - since.keys(), at)


def _clock() -> float:
    """Return seconds that count while the machine sleeps, and that no change of the wall clock changes."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _services(state_dir: Path) -> Iterator[tuple[str, psutil.Process]]:
    for path in sorted((state_dir / "run").glob("*.json")):
        record = PidFile.read(path)
        if record and (process := record.process()):
            yield path.stem, process


def _file(state_dir: Path) -> Path:
    return state_dir / "suspensions.json"
