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
    """A process: its pid and start time (together unique), and a digest of its settings and code."""

    pid: int
    created: float
    fingerprint: str

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
        record = cls(pid, psutil.Process(pid).create_time(), fingerprint)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(record)))
        new.replace(path)

    def process(self) -> psutil.Process | None:
        """Return the process if it still lives."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 1
        except psutil.NoSuchProcess:
            return None
        return process if same and processes.alive(process) else None


def fingerprint(
    command: Sequence[str], environment: Mapping[str, str], ports: Mapping[str, int], loads: str
) -> str:
    """Compute a digest of a process's settings and code, to detect later that they have changed."""
    content = json.dumps([list(command), sorted(environment.items()), sorted(ports.items()), loads])
    return hashlib.sha256(content.encode()).hexdigest()
