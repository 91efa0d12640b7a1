"""The supervisor as a service of the stack: see `segue.stack.supervision`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from segue.settings import Settings
from segue.stack import code, memory
from segue.stack.service import Service, beats

NAME = "supervisor"
LOCK = ".supervisor.lock"
"""File in the home. The supervisor holds its lock while it starts a service again; `segue up` and `down` hold it
all the time, so that the supervisor does not start what they stop."""
FRESH_S = 60.0
"""If the heartbeat is older than this, the supervisor hangs."""


def service(settings: Settings) -> Service:
    """Return the description of the supervisor.

    Returns
    -------
    Service
        Named ``supervisor``.
    """
    return Service(
        name=NAME,
        state_dir=settings.state_dir,
        data=settings.state_dir / NAME,
        command=(sys.executable, "-m", "segue.stack.supervision"),
        check=lambda started: beats(heartbeat(settings.state_dir), started, FRESH_S),
        environment=settings.environment,
        loads=code.installed(),
        memory_limit_mb=memory.limit_mb(settings, NAME),
    )


def start(settings: Settings, bring_up: Callable[[Service], None]) -> None:
    """Start the supervisor."""
    bring_up(service(settings))


def heartbeat(state_dir: Path) -> Path:
    """Return the file that the supervisor touches whenever it has looked at the services."""
    return state_dir / NAME / "heartbeat"
