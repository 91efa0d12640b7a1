"""Find the processes of a stack, and end them by pid, never by name.

Every process of a stack has the stack's state directory and the name of its service in its environment. Its
children inherit both. So the remaining processes of a killed service are found, and no other processes.
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
    """Find the running processes of a stack, or of one of its services."""
    return [
        process
        for process, environment in _marked()
        if environment[STACK_MARKER] == str(state_dir) and service in (None, environment.get(SERVICE_MARKER))
    ]


def by_service(state_dir: Path) -> dict[str, list[psutil.Process]]:
    """Find the running processes of a stack, including this one, by the name of their service."""
    found: dict[str, list[psutil.Process]] = {}
    for process, environment in _marked(itself=True):
        if environment[STACK_MARKER] == str(state_dir):
            found.setdefault(environment.get(SERVICE_MARKER, ""), []).append(process)
    return found


def state_dirs(home: Path) -> set[Path]:
    """Return the state directories under `home` that have a running process."""
    found = {Path(environment[STACK_MARKER]) for _, environment in _marked()}
    return {state_dir for state_dir in found if state_dir.parent == home}


def end(processes: Iterable[psutil.Process], grace_s: float = 15) -> None:
    """Ask `processes` to stop, and kill those that still run after `grace_s` seconds."""
    asked = list(processes)
    for process in asked:
        _signal(process, "terminate")
        _signal(process, "resume")  # a suspended process does not end before it continues
    _, stubborn = psutil.wait_procs(asked, timeout=grace_s)
    for process in stubborn:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, timeout=5)


def alive(process: psutil.Process) -> bool:
    """Return whether `process` runs. A zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def suspended(process: psutil.Process) -> bool:
    """Return whether `process` is suspended, such as by SIGSTOP. It continues after SIGCONT."""
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def resume(processes: Iterable[psutil.Process]) -> bool:
    """Let suspended processes continue. Return whether there were any."""
    found = [process for process in processes if suspended(process)]
    for process in found:
        _signal(process, "resume")
    return bool(found)


def pss_bytes(processes: Iterable[psutil.Process]) -> int:
    """Add up the memory of `processes`: PSS, which counts shared pages once, or RSS where PSS is not available."""
    total = 0
    for process in processes:
        try:
            memory = process.memory_full_info()
        except psutil.Error:
            continue  # the process has just ended
        total += getattr(memory, "pss", memory.rss)
    return total


def _marked(*, itself: bool = False) -> list[tuple[psutil.Process, dict[str, str]]]:
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue  # the process is another user's, or has just ended
        if STACK_MARKER in environment and (itself or process.pid != os.getpid()) and alive(process):
            found.append((process, environment))
    return found


def _signal(process: psutil.Process, action: str) -> None:
    try:
        getattr(process, action)()
    except psutil.NoSuchProcess:
        return
