from __future__ import annotations

import httpx
import pytest
from overview import loads

WHOLE = "<p>Everything is published.</p><h2>Corpus</h2>"


def client(text: str, status: int = 200) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/segue/"
        return httpx.Response(status, text=text)

    return httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(answer))


def test_each_load_is_timed() -> None:
    taken = list(loads(client(WHOLE), 3, pause_s=0))
    assert len(taken) == 3
    assert min(taken) > 0


@pytest.mark.parametrize("text", ["<h2>DAGs</h2>", f"Kafka does not answer. {WHOLE}"])
def test_a_page_with_a_part_missing_is_not_timed(text: str) -> None:
    with pytest.raises(SystemExit, match="means nothing"):
        next(loads(client(text), 1, pause_s=0))


def test_a_page_that_is_refused_is_not_timed() -> None:
    with pytest.raises(httpx.HTTPStatusError):
        next(loads(client("", 403), 1, pause_s=0))
