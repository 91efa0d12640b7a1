from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

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


def test_the_front_page_leads_a_browser_on_and_greets_other_clients() -> None:
    kind, page = front_page("text/html,application/xhtml+xml,*/*;q=0.8")
    assert kind == "text/html"
    assert re.findall('href="([^"]+)"', page) == ["docs", "health"]
    assert "/u/anna" in page
    assert front_page("*/*") == ("text/plain", "This is the listens API of Segue: /docs describes it.\n")
