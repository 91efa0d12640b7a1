"""Who may enter is never answered from memory that is too old: floods, slow bodies and a database that is away."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.api_server import eventually, free_port, in_kafka, serving

from segue.api import accounts, forgetting
from segue.api.accounts import Accounts
from segue.listens.removals import Removals, user_key
from segue.settings import Settings

pytestmark = pytest.mark.integration


def body() -> dict[str, Any]:
    names = {"artist_name": "Björk", "track_name": f"Jóga {time.monotonic_ns()}"}
    return {"listen_type": "single", "payload": [{"listened_at": int(time.time()), "track_metadata": names}]}


@contextmanager
def flood(url: str) -> Iterator[None]:
    """Keep this address over its limit of requests without a valid token."""
    ended = threading.Event()

    def send() -> None:
        with httpx.Client(base_url=url) as client:
            while not ended.is_set():
                client.get("/1/validate-token")

    thread = threading.Thread(target=send)
    thread.start()
    yield
    ended.set()
    thread.join()


ENDINGS: dict[str, Callable[[Any, str], object]] = {
    "revoked": lambda database, user: Accounts(database).revoke(user),
    "rotated": lambda database, user: Accounts(database).rotate(user),
    "forgotten": forgetting.forget_in_database,
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_a_token_that_has_ended_is_refused_in_a_flood(
    api_settings: Settings, database: Any, end: Callable[[Any, str], object]
) -> None:
    user = f"flooded-{time.monotonic_ns()}"
    headers = {"Authorization": f"Token {Accounts(database).add(user)}"}
    few = api_settings.model_copy(update={"api_anonymous_requests_per_window": 3, "api_port": free_port()})
    with serving(few) as url, httpx.Client(base_url=url, headers=headers, timeout=30) as player, flood(url):

        def submit() -> int:
            return player.post("/1/submit-listens", json=body()).status_code

        assert submit() == 200
        ending = threading.Thread(target=end, args=(database, user))
        ending.start()
        eventually(lambda: submit() != 200)
        assert {submit() for _ in range(20)} <= {401, 429, 503}
        ending.join()
        assert {submit() for _ in range(20)} <= {401, 429, 503}
    removed_at = Removals(database).all().get(user_key(user))
    if removed_at is not None:
        assert max(event.received_at or 0 for event in in_kafka(few, user)) <= removed_at


def test_a_token_that_ends_during_its_body_is_refused(
    api_settings: Settings,
    api: str,
    database: Any,
    new_user: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounts, "CACHED_S", 1.0)
    user, token = new_user
    content = json.dumps(body()).encode()
    with socket.create_connection(("127.0.0.1", urlsplit(api).port or 0), timeout=30) as slow:
        head = f"POST /1/submit-listens HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\n"
        slow.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content[:10])
        time.sleep(0.5)  # the token has been checked
        Accounts(database).revoke(user)
        time.sleep(1.5)
        slow.sendall(content[10:])
        assert slow.recv(4_096).startswith(b"HTTP/1.1 401")
    assert in_kafka(api_settings, user) == []


class Wire:
    """A connection to the document server that the test can cut or freeze.

    Parameters
    ----------
    to
        Port of the server.
    """

    def __init__(self, to: int) -> None:
        self._to = to
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self.flows = threading.Event()
        self.flows.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Refuse new connections, and end those that are open."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._open += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self.flows.wait()
                sink.sendall(data)


@pytest.mark.parametrize("away", ["cut", "frozen"])
def test_without_the_database_everybody_gets_503(
    api_settings: Settings, database: Any, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "CACHED_S", 2.0)
    wire = Wire(api_settings.mongo_port)
    token = Accounts(database).add(f"away-{time.monotonic_ns()}")
    there = api_settings.mongo.replace(f":{api_settings.mongo_port}", f":{wire.port}")
    behind = api_settings.model_copy(update={"mongo_uri": there, "api_port": free_port()})
    with serving(behind) as url, httpx.Client(base_url=url, timeout=60) as player:
        player.headers["Authorization"] = f"Token {token}"

        def submit() -> int:
            return player.post("/1/submit-listens", json=body()).status_code

        assert submit() == 200
        if away == "cut":
            wire.cut()
        else:
            wire.flows.clear()
        eventually(lambda: submit() == 503)
        refused = player.post("/1/submit-listens", json=body())
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert {submit() for _ in range(3)} == {503}
        wire.flows.set()
        if away == "frozen":
            eventually(lambda: submit() == 200)
