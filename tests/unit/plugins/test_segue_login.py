"""Failed logins are throttled."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def client(now):
    from segue_login import LoginThrottle

    async def login(request: Request) -> PlainTextResponse:
        return PlainTextResponse("", 201 if await request.body() == b"right" else 401)

    async def page(_: Request) -> PlainTextResponse:
        return PlainTextResponse("page")

    paths = ("/auth/token", "/auth/token/cli")
    routes = [Route("/page", page), *(Route(path, login, methods=["POST"]) for path in paths)]
    return TestClient(LoginThrottle(Starlette(routes=routes), clock=lambda: now[0]))


def tries(client: TestClient, password: str, count: int, path: str = "/auth/token") -> list[int]:
    return [client.post(path, content=password).status_code for _ in range(count)]


def test_after_ten_failed_logins_the_right_password_is_refused_too_until_the_minute_is_over(client, now):
    assert tries(client, "wrong", 9) == [401] * 9
    assert tries(client, "wrong", 2, "/auth/token/cli") == [401, 429]
    now[0] = 17.5
    refused = client.post("/auth/token", content="right")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "43")
    assert refused.json() == {"detail": "Too many failed logins. Try again in 43 seconds."}
    assert client.get("/page").status_code == 200
    now[0] = 60.0
    assert tries(client, "right", 1) == [201]


def test_logins_that_succeed_do_not_count(client):
    assert tries(client, "right", 30) == [201] * 30
    assert tries(client, "wrong", 10) == [401] * 10


def test_addresses_are_counted_apart_and_forgotten(client, monkeypatch, now):
    import segue_login

    monkeypatch.setattr(segue_login, "MANY_ADDRESSES", 3)
    throttle = client.app
    for number in range(3):
        throttle._window(f"10.0.0.{number}").failures = 10
    assert throttle._window("10.0.0.9").failures == 0
    assert throttle._window("10.0.0.1").failures == 10
    now[0] = 61.0
    assert throttle._window("10.0.0.1").failures == 0
    assert len(throttle._windows) == 1
