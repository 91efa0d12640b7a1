"""The live recommendations as a service of the stack."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from segue.recommender.serving.live import FRESH_S, heartbeat
from segue.settings import Settings
from segue.stack import code, memory, secrets
from segue.stack.service import Service, beats


def service(settings: Settings) -> Service:
    """Return the description of the service, which restarts its worker by itself.

    Returns
    -------
    Service
        Named ``live``.
    """
    return Service(
        name="live",
        state_dir=settings.state_dir,
        data=settings.state_dir / "live",
        command=(str(Path(sys.prefix) / "bin" / "segue"), "live"),
        check=lambda started: beats(heartbeat(settings), started, FRESH_S),
        environment=settings.environment | memory.ONE_ARENA,
        loads=code.installed() + secrets.digest(settings),
        memory_limit_mb=memory.limit_mb(settings, "live"),
    )


def start(settings: Settings, bring_up: Callable[[Service], None]) -> None:
    """Start the live recommendations."""
    bring_up(service(settings))
