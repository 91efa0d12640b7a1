"""The streams of a user are counted from before they open until they have ended."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request

from segue.api import access, errors, recommendations, server
from segue.settings import Settings
from segue.stack import ports

PATH = "/v1/users/ann/recommendations/events"


@pytest.fixture
def app() -> FastAPI:
    """An app whose only user is ann, who has no recommendations."""
    app = FastAPI()
    errors.install(app)
    app.include_router(recommendations.router)
    app.state.streams = Counter()
    app.state.context = SimpleNamespace(stopping=threading.Event())

    async def ann(request: Request) -> str:
        async def current_user() -> str | None:
            return None if app.state.revoked else "ann"

        request.state.current_user = current_user
        return "ann"

    app.state.revoked = False
    app.dependency_overrides[access.owner] = ann
    app.dependency_overrides[recommendations._recommending] = lambda: SimpleNamespace(newest=lambda _: None)
    return app


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    port = ports.find_free(1)[0]
    config = server.config(app, Settings(api_port=port))
    config.lifespan = "off"
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    app.state.context.stopping.set()
    running.should_exit = True
    thread.join()


def ended(app: FastAPI) -> bool:
    until = time.monotonic() + 10
    while app.state.streams["ann"] and time.monotonic() < until:
        time.sleep(0.01)
    return not app.state.streams["ann"]


def test_streams_that_open_at_the_same_time_do_not_exceed_the_limit(app: FastAPI) -> None:
    async def open_all() -> list[int]:
        statuses: list[int] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        scope = {"type": "http", "method": "GET", "path": PATH, "headers": [], "query_string": b"", "state": {}}
        streams = [asyncio.create_task(app(dict(scope, state={}), receive, send)) for _ in range(14)]
        while len(statuses) < 14:
            await asyncio.sleep(0.01)
        app.state.context.stopping.set()
        await asyncio.gather(*streams)
        return statuses

    statuses = asyncio.run(open_all())
    assert sorted(statuses) == [200] * recommendations.MAX_STREAMS + [429] * (14 - recommendations.MAX_STREAMS)
    assert not app.state.streams["ann"]


def test_a_stream_ends_with_its_token_and_is_no_longer_counted(app: FastAPI, url: str) -> None:
    with httpx.stream("GET", url + PATH, timeout=30) as stream:
        assert app.state.streams["ann"] == 1
        app.state.revoked = True
        assert list(stream.iter_lines()) == []
    assert ended(app)
