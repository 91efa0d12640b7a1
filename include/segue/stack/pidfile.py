"""The record of a started process. Later commands find the process by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from segue.stack import processes


@dataclass(frozen=True)
class PidFile:
    """A process, and a digest of its settings and code.

    Parameters
    ----------
    pid
        Id of the process. The system uses it again after the process has ended.
    created
        When the process started, in seconds since 1970. It identifies the process if there is no `born`.
    fingerprint
        Digest of the settings and of the code.
    born
        See `birth`. Empty in records of earlier versions.
    """

    pid: int
    created: float
    fingerprint: str
    born: str = ""

    @classmethod
    def read(cls, path: Path) -> PidFile | None:
        """Read the record. Return None if it is missing or damaged."""
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @classmethod
    def write(cls, path: Path, pid: int, fingerprint: str) -> None:
        """Write the record of the process `pid` atomically."""
        record = cls(pid, psutil.Process(pid).create_time(), fingerprint, birth(pid))
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(record)))
        new.replace(path)

    def process(self) -> psutil.Process | None:
        """Return the process if it still lives."""
        try:
            process = psutil.Process(self.pid)
            same = birth(self.pid) == self.born if self.born else abs(process.create_time() - self.created) < 1
        except psutil.NoSuchProcess:
            return None
        return process if same and processes.alive(process) else None


def birth(pid: int) -> str:
    """Return when a process started: the id of the boot, and the clock ticks from then on.

    Both stay the same when the system's clock is set. A start time in seconds since 1970 does not, because Linux
    computes it from the present clock.

    Returns
    -------
    str
        Empty on a system without ``/proc``, or if the process has ended.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return f"{boot} {after_name[19]}"  # field 22 of the line; the name, which may hold spaces, is field 2


def fingerprint(
    command: Sequence[str], environment: Mapping[str, str], ports: Mapping[str, int], loads: str
) -> str:
    """Compute a digest of a process's settings and code, to detect later that they have changed."""
    content = json.dumps([list(command), sorted(environment.items()), sorted(ports.items()), loads])
    return hashlib.sha256(content.encode()).hexdigest()
