from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from segue.api import pages
from segue.api.app import create_app
from segue.api.audioscrobbler.realtime_submissions import handshake
from segue.api.rate_limits import RateLimits
from segue.settings import Settings


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_documentation_of_the_api_needs_no_internet(page: str) -> None:
    app = create_app(Settings())
    app.state.context = SimpleNamespace(rate_limits=RateLimits(requests=300, anonymous_requests=300))
    client = TestClient(app)
    shown = client.get(page).text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', shown)
    assert loaded
    for address in loaded:
        assert address.startswith("/")
        assert client.get(address).status_code == 200


def front_page(accept: str) -> tuple[str, str]:
    """Return the type and the text of the answer to ``GET /``."""
    scope: dict[str, Any] = {"type": "http", "query_string": b"", "headers": [(b"accept", accept.encode())]}
    answer = asyncio.run(handshake(Request(scope), None))  # type: ignore[arg-type] # it needs no context for this
    return answer.media_type or "", bytes(answer.body).decode()


def test_the_front_page_is_that_of_listeners_for_a_browser_and_a_greeting_for_other_clients() -> None:
    kind, page = front_page("text/html,application/xhtml+xml,*/*;q=0.8")
    assert kind == "text/html"
    assert page == pages.DOCUMENT.read_text(encoding="utf-8")
    assert front_page("*/*") == ("text/plain", "This is the listens API of Segue: /docs describes it.\n")


def test_the_page_runs_only_its_own_files_and_the_browser_keeps_them() -> None:
    app = create_app(Settings())
    app.state.context = SimpleNamespace(rate_limits=RateLimits(requests=300, anonymous_requests=300))
    client = TestClient(app)
    page = client.get("/u/anna")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "<style" not in page.text
    assert not re.findall(r"<script(?![^>]* src=)", page.text)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    for address in loaded:
        first = client.get(address)
        assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
        again = client.get(address, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404
