"""Drain a buffer of listens as Navidrome 0.5x does: one after the other, without a pause, on one connection.

An answer with code 500 or 503 makes it keep the listen and come back five seconds later. Any other refusal makes
it throw the listen away. (Read in its source: `core/scrobbler/buffered_scrobbler.go`, `adapters/listenbrainz`.)
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

COMES_BACK_S = 5.0


@dataclass
class Drained:
    """What became of the listens of a buffer."""

    sent: int = 0
    retried: int = 0
    discarded: dict[int, int] = field(default_factory=dict)


def drain(url: str, token: str, listens: Sequence[dict[str, Any]], tally: Drained) -> None:
    """Send all listens and note what became of them in `tally`."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json; charset=UTF-8"}
    for listen in listens:
        body = json.dumps({"listen_type": "single", "payload": [listen]})
        while (code := _code(connection, body, headers)) in (500, 503):
            tally.retried += 1
            connection.close()  # as Go's client, which notices that the server has closed an idle connection
            time.sleep(COMES_BACK_S)
        if code == 200:
            tally.sent += 1
        else:
            tally.discarded[code] = tally.discarded.get(code, 0) + 1
    connection.close()


def _code(connection: http.client.HTTPConnection, body: str, headers: dict[str, str]) -> int:
    connection.request("POST", "/1/submit-listens", body, headers)
    answer = connection.getresponse()
    return int(json.loads(answer.read()).get("code", 200))
