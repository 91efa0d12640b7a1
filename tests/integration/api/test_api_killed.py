"""kill -9 of the API under load; `benchmarks/listens_killed.py` does it many times, to broker and lake job too."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.api_server import eventually, free_port, in_kafka

from segue.api.accounts import Accounts
from segue.listens.store import ListenStore
from segue.settings import Settings

pytestmark = pytest.mark.integration

START = 1_600_000_000


def serve(settings: Settings) -> subprocess.Popen[bytes]:
    command = [str(Path(sys.prefix) / "bin" / "segue"), "serve"]
    return subprocess.Popen(command, env=os.environ | settings.environment, stdout=subprocess.DEVNULL)


def test_what_was_answered_before_and_after_a_kill_is_in_kafka_and_shown(
    api_settings: Settings, database: Any
) -> None:
    name = f"steady-{time.monotonic_ns()}"
    token = Accounts(database).add(name)
    settings = Settings(**api_settings.model_dump() | {"api_port": free_port()})
    url = f"http://127.0.0.1:{settings.api_port}"
    answered: list[int] = []
    enough = threading.Event()

    def play() -> None:
        """Send one listen after the other, each until it is answered with 200."""
        at = START
        while not enough.is_set():
            listen = {"listened_at": at, "track_metadata": {"artist_name": "a", "track_name": "t"}}
            body = {"listen_type": "single", "payload": [listen]}
            try:
                answer = httpx.post(
                    f"{url}/1/submit-listens", json=body, headers={"Authorization": f"Token {token}"}
                )
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if answer.status_code == 200:
                answered.append(at)
                at += 1

    player = threading.Thread(target=play)
    server = serve(settings)
    try:
        player.start()
        eventually(lambda: len(answered) > 20)
        server.kill()
        server.wait()
        before = len(answered)
        server = serve(settings)
        eventually(lambda: len(answered) > before + 20)
        enough.set()
        player.join()
        assert {event.listened_at for event in in_kafka(api_settings, name)} == set(answered)
        eventually(lambda: ListenStore(database).count(name) == len(answered))
    finally:
        enough.set()
        server.terminate()
        server.wait()
