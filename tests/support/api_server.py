"""Run the listens API in a thread, and look at what it has done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from segue.api import server
from segue.api.app import create_app
from segue.connections import whole_topics
from segue.connections.kafka import config as kafka_config
from segue.listens.events import Listen
from segue.settings import Settings
from segue.stack import ports


@contextmanager
def in_thread(config: uvicorn.Config) -> Iterator[None]:
    """Run a server in a thread."""
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: running.started)
        yield
    finally:
        running.should_exit = True
        thread.join()


@contextmanager
def serving(settings: Settings, *, healthy: bool = True, tracks: bool = True) -> Iterator[str]:
    """Run the API in a thread; yield its address as soon as it is as healthy as expected, and knows its tracks."""
    url, wait_for = f"http://127.0.0.1:{settings.api_port}", 200 if healthy else 503

    def answers() -> bool:
        try:
            health = httpx.get(f"{url}/health", timeout=20)
        except httpx.TransportError:
            return False
        if healthy and tracks and not health.json()["parts"]["catalogue"]["tracks"]:
            return False
        return health.status_code == wait_for

    with in_thread(server.config(create_app(settings), settings)):
        eventually(answers)
        yield url


def eventually(holds: Callable[[], Any], timeout_s: float = 60) -> Any:
    """Wait until something holds; return it."""
    until = time.monotonic() + timeout_s
    while not (found := holds()):
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.1)
    return found


def in_kafka(settings: Settings, user_name: str) -> list[Listen]:
    """Read a user's events from the topic of listens."""
    messages = whole_topics.messages(kafka_config(settings), settings.listens_topic)
    return [Listen.model_validate_json(m.value) for m in messages if m.key == user_name.encode()]


def free_port() -> int:
    """Find a port that nobody listens on."""
    return ports.find_free(1)[0]
