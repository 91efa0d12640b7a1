"""The listens API as a service of the stack."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from segue.settings import Settings
from segue.stack import code, memory, secrets
from segue.stack.service import Service

HEALTH_TIMEOUT_S = 15
"""The API writes probes to Kafka and MongoDB before it answers."""


def service(settings: Settings) -> Service:
    """Return the description of the API.

    Returns
    -------
    Service
        Named ``listens-api``.
    """
    return Service(
        name="listens-api",
        state_dir=settings.state_dir,
        data=settings.state_dir / "listens-api",
        command=(str(Path(sys.prefix) / "bin" / "segue"), "serve"),
        check=lambda _: _is_ready(settings.api_port),
        environment=settings.environment | memory.ONE_ARENA,
        ports={"SEGUE_API_PORT": settings.api_port},
        loads=code.installed() + secrets.digest(settings),
        memory_limit_mb=memory.limit_mb(settings, "listens-api"),
    )


def start(settings: Settings, bring_up: Callable[[Service], None]) -> None:
    """Start the API. It becomes healthy when Kafka and the document server are."""
    bring_up(service(settings))


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=HEALTH_TIMEOUT_S, trust_env=False).is_success
    except httpx.HTTPError:
        return False
