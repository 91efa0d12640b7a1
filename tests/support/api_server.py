"""Run the listens API in a thread, and look at what it has done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import uvicorn
from kafka import KafkaConsumer

from segue.api import server
from segue.api.app import create_app
from segue.listens.events import Listen
from segue.settings import Settings
from segue.stack import ports


class serving:  # noqa: N801 - read as a statement: with serving(settings) as url
    """Run the API in a thread."""

    def __init__(self, settings: Settings, *, healthy: bool = True) -> None:
        self._server = uvicorn.Server(server.config(create_app(settings), settings))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._url = f"http://127.0.0.1:{settings.api_port}"
        self._wait_for = 200 if healthy else 503

    def __enter__(self) -> str:
        self._thread.start()
        eventually(lambda: self._health() == self._wait_for)
        return self._url

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    def _health(self) -> int:
        try:
            health = httpx.get(f"{self._url}/health", timeout=20)
        except httpx.TransportError:
            return 0
        if self._wait_for == 200 and not health.json()["parts"]["catalogue"]["tracks"]:
            return 0
        return health.status_code


def eventually(holds: Callable[[], Any], timeout_s: float = 60) -> Any:
    """Wait until something holds; return it."""
    until = time.monotonic() + timeout_s
    while not (found := holds()):
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.1)
    return found


def in_kafka(settings: Settings, user_name: str) -> list[Listen]:
    """Read a user's events from the topic of listens."""
    consumer = KafkaConsumer(
        settings.listens_topic,
        bootstrap_servers=settings.kafka_bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=1_500,
    )
    try:
        return [Listen.model_validate_json(m.value) for m in consumer if m.key == user_name.encode()]
    finally:
        consumer.close()


def free_port() -> int:
    """Find a port that nobody listens on."""
    return ports.find_free(1)[0]
