"""Which processes belong to a stack, and how to end them: by pid, never by name.

Every process of a stack carries its state directory and the name of its service in its environment, and so do
their children. That finds what a service left behind when it was killed, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

STACK_MARKER = "SEGUE_STACK"
SERVICE_MARKER = "SEGUE_STACK_SERVICE"


def marks(state_dir: Path, service: str) -> dict[str, str]:
    """Return the variables that mark the processes of one service."""
    return {STACK_MARKER: str(state_dir), SERVICE_MARKER: service}


def of(state_dir: Path, service: str | None = None) -> list[psutil.Process]:
    """Find the living processes of a stack, or of one service of it."""
    return [
        process
        for process, environment in _marked()
        if environment[STACK_MARKER] == str(state_dir) and service in (None, environment.get(SERVICE_MARKER))
    ]


def by_service(state_dir: Path) -> dict[str, list[psutil.Process]]:
    """Find the living processes of a stack, this one included, by the name of their service."""
    found: dict[str, list[psutil.Process]] = {}
    for process, environment in _marked(itself=True):
        if environment[STACK_MARKER] == str(state_dir):
            found.setdefault(environment.get(SERVICE_MARKER, ""), []).append(process)
    return found


def state_dirs(home: Path) -> set[Path]:
    """Return the state directories under `home` of which a process lives."""
    found = {Path(environment[STACK_MARKER]) for _, environment in _marked()}
    return {state_dir for state_dir in found if state_dir.parent == home}


def end(processes: Iterable[psutil.Process], grace_s: float = 15) -> None:
    """Ask `processes` to stop, and kill those that have not after `grace_s` seconds."""
    asked = list(processes)
    for process in asked:
        _signal(process, "terminate")
    _, stubborn = psutil.wait_procs(asked, timeout=grace_s)
    for process in stubborn:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, timeout=5)


def alive(process: psutil.Process) -> bool:
    """Tell whether `process` runs; one that has died and waits for its parent to notice does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pss_bytes(processes: Iterable[psutil.Process]) -> int:
    """Add up what `processes` hold in memory, pages they share counted once (where the system tells; else RSS)."""
    total = 0
    for process in processes:
        try:
            memory = process.memory_full_info()
        except psutil.Error:
            continue  # it has just ended
        total += getattr(memory, "pss", memory.rss)
    return total


def _marked(*, itself: bool = False) -> list[tuple[psutil.Process, dict[str, str]]]:
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue  # another user's, or it has just ended
        if STACK_MARKER in environment and (itself or process.pid != os.getpid()) and alive(process):
            found.append((process, environment))
    return found


def _signal(process: psutil.Process, action: str) -> None:
    try:
        getattr(process, action)()
    except psutil.NoSuchProcess:
        return
