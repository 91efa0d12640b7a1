"""No client keeps the others out: slow, silent, greedy and deaf ones lose their connections, with a sentence."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from segue.api import connection_limits, http_protocol, server
from segue.settings import Settings
from segue.stack import ports

BIG = b"x" * 20_000_000


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer /big with 20 MB, /slow after the whole body, and any other path with the client's address."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/slow":
        while (await receive()).get("more_body"):
            pass
    body = BIG if scope["path"] == "/big" else scope["client"][0].encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def served(**settings: Any) -> Iterator[int]:
    port = ports.find_free(1)[0]
    config = server.config(app, Settings(api_port=port, **settings))
    config.lifespan = "off"
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield port
    running.should_exit = True
    thread.join()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(connection_limits, "HEAD_S", 0.5)
    monkeypatch.setattr(connection_limits, "WRITE_S", 0.5)
    monkeypatch.setattr(connection_limits, "LINGER_S", 0.5)
    monkeypatch.setattr(http_protocol, "WRITE_S", 0.5)
    monkeypatch.setattr(connection_limits, "CONNECTIONS", 12)
    monkeypatch.setattr(connection_limits, "CONNECTIONS_OF_ADDRESS", 8)
    with served() as found:
        yield found


def connected(port: int, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(address, 0))


def answer(opened: socket.socket) -> bytes:
    """Read until the server ends the connection."""
    received = b""
    try:
        while part := opened.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return received


def pour(opened: socket.socket, piece: bytes, pause_s: float = 0.0) -> bool:
    """Send a piece again and again, and return whether the server has ended the connection."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            opened.sendall(piece)
        except ConnectionError:
            return True
        time.sleep(pause_s)
    return False


def refusal(received: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = received.partition(b"\r\n\r\n")
    document = json.loads(body)
    assert int(head.split()[1]) == document["code"]
    return document["code"], document


def test_silent_connections_shut_out_nobody(port: int) -> None:
    with ExitStack() as silent:
        for _ in range(40):
            silent.enter_context(connected(port))
            assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200


def test_silent_connections_of_many_addresses_shut_out_nobody(port: int) -> None:
    with ExitStack() as silent:
        for number in range(2, 42):
            silent.enter_context(connected(port, f"127.0.0.{number}"))
            assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200


def test_a_silent_connection_is_ended(port: int) -> None:
    with connected(port) as silent:
        assert answer(silent) == b""


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["first", "second"])
def test_a_head_that_comes_byte_by_byte_is_refused(port: int, before: bytes) -> None:
    with connected(port) as slow:
        slow.sendall(before)
        if before:
            slow.recv(65_536)
        assert pour(slow, b"G", pause_s=0.05)
    with connected(port) as slow:
        slow.sendall(b"GET / HTT")
        assert refusal(answer(slow))[0] == 408


def test_empty_lines_between_requests_do_not_keep_a_connection(port: int) -> None:
    with connected(port) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        idle.recv(65_536)
        assert pour(idle, b"\r\n", pause_s=0.05)


@pytest.mark.parametrize(
    "start",
    [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"POST /slow HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "],
    ids=["address", "header", "trailer"],
)
def test_an_endless_head_is_refused(port: int, start: bytes) -> None:
    with connected(port) as greedy:
        greedy.sendall(start)
        assert pour(greedy, b"x" * 100_000)


def test_a_head_that_is_too_large_gets_a_sentence(port: int) -> None:
    with connected(port) as greedy:
        greedy.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)
        assert refusal(answer(greedy))[0] == 431


def test_thousands_of_requests_at_once_are_refused(port: int) -> None:
    with connected(port) as greedy:
        greedy.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 5_000)
        assert answer(greedy).count(b"200 OK") < 100


def test_what_is_not_http_gets_json(port: int) -> None:
    with connected(port) as other:
        other.sendall(b"\x16\x03\x01 TLS\r\n\r\n")
        assert refusal(answer(other))[0] == 400


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_a_client_that_does_not_read_loses_its_connection(port: int, connection: str) -> None:
    with connected(port) as deaf:
        deaf.sendall(f"GET /big HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
        time.sleep(2)
        assert len(answer(deaf)) < len(BIG)


def test_who_finds_only_busy_connections_gets_503_and_may_come_again(port: int) -> None:
    with ExitStack() as stack:
        busy = [stack.enter_context(connected(port)) for _ in range(8)]
        for each in busy:
            each.sendall(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1")
        time.sleep(0.2)
        refused = httpx.get(f"http://127.0.0.1:{port}/")
        assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (503, 503, "5")
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(transport=transport) as another:
            assert another.get(f"http://127.0.0.1:{port}/").status_code == 200
        for each in busy:
            each.sendall(b"2")
            assert each.recv(65_536).startswith(b"HTTP/1.1 200")


def test_connections_that_end_are_no_longer_counted(port: int) -> None:
    for _ in range(40):
        with connected(port) as brief:
            brief.sendall(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1")
    time.sleep(0.2)
    assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200


FORWARDED = {"X-Forwarded-For": "192.0.2.7"}


def test_forwarded_addresses_are_believed_only_from_configured_proxies(port: int) -> None:
    assert httpx.get(f"http://127.0.0.1:{port}/", headers=FORWARDED).text == "127.0.0.1"
    with served(api_proxies="10.0.0.0/8, 127.0.0.1") as behind_proxy:
        assert httpx.get(f"http://127.0.0.1:{behind_proxy}/", headers=FORWARDED).text == "192.0.2.7"


def test_a_proxy_may_have_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "CONNECTIONS_OF_ADDRESS", 2)
    with served(api_proxies="127.0.0.1") as behind_proxy, ExitStack() as stack:
        for _ in range(8):
            busy = stack.enter_context(connected(behind_proxy))
            busy.sendall(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1")
        time.sleep(0.2)
        assert httpx.get(f"http://127.0.0.1:{behind_proxy}/").status_code == 200


def test_a_proxy_that_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Settings(api_proxies="proxy.example")
