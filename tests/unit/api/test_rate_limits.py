from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from segue.api import errors, rate_limits
from segue.api.errors import ApiError
from segue.api.observability import RequestObserver
from segue.api.rate_limits import WINDOW_S, CountTheRest, RateLimits


@pytest.fixture
def client() -> TestClient:
    """A client of an app that allows three requests that no route counts."""
    app = FastAPI()
    errors.install(app)
    app.state.context = SimpleNamespace(rate_limits=RateLimits(requests=300, anonymous_requests=3))
    app.add_middleware(CountTheRest, uncounted=["/health"])
    app.add_middleware(RequestObserver)

    @app.get("/page")
    @app.get("/health")
    def page() -> str:
        return "a page"

    @app.get("/counted")
    def counted(request: Request) -> str:
        request.state.headers = {"X-RateLimit-Limit": "300"}
        return "counted"

    @app.post("/away")
    def away() -> None:
        raise ApiError(errors.HTTPStatus.SERVICE_UNAVAILABLE, "The database is away.")

    return TestClient(app)


@pytest.mark.parametrize("path", ["/page", "/nothing", "/docs", "/openapi.json"])
def test_a_flood_of_pages_and_of_paths_that_do_not_exist_is_refused(client: TestClient, path: str) -> None:
    for _ in range(3):
        assert client.get(path).status_code in (200, 404)
    refused = client.get(path)
    assert (refused.status_code, refused.json()["code"]) == (429, 429)
    assert (refused.headers["X-RateLimit-Limit"], refused.headers["X-RateLimit-Remaining"]) == ("3", "0")
    assert "X-RateLimit-Reset-In" in refused.headers


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/health", 200), ("GET", "/counted", 200), ("POST", "/away", 503)]
)
def test_what_is_counted_elsewhere_or_must_come_again_is_not_refused(
    client: TestClient, method: str, path: str, status: int
) -> None:
    assert {client.request(method, path).status_code for _ in range(20)} == {status}


def test_a_503_says_when_to_come_again(client: TestClient) -> None:
    assert client.post("/away").headers["Retry-After"] == errors.RETRY_AFTER_S


@pytest.mark.parametrize("step_s", [-3_600, 3_600])
def test_setting_the_clock_neither_ends_nor_prolongs_a_window(
    monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    clock, passed = time.time(), [0.0]
    monkeypatch.setattr(time, "time", lambda: clock + passed[0])
    monkeypatch.setattr(time, "monotonic", lambda: passed[0])
    limits = RateLimits(requests=300, anonymous_requests=1)
    assert limits.address("192.0.2.7")[0]
    clock += step_s
    allowed, headers = limits.address("192.0.2.7")
    assert (allowed, limits.may_ask("192.0.2.7"), headers["X-RateLimit-Reset-In"]) == (False, False, "10")
    passed[0] += WINDOW_S
    assert limits.may_ask("192.0.2.7")
    assert limits.address("192.0.2.7")[0]


def test_windows_that_have_ended_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MANY_WINDOWS", 100)
    passed = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: passed[0])
    limits = RateLimits(requests=300, anonymous_requests=1)
    for number in range(1_000):
        passed[0] += 1
        limits.address(str(number))
    assert len(limits._addresses) <= 100
