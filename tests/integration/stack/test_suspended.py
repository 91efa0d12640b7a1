"""Services that were suspended for longer than their sessions last, such as by the lid of a laptop."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from tests.support import live_corpus
from tests.support.api_server import eventually

from segue.api.accounts import Accounts
from segue.recommender.serving.live import SESSION_S
from segue.settings import Settings
from segue.stack import lifecycle, ports, processes
from segue.stack.kafka import SESSION_TIMEOUT_MS
from segue.stack.service import State

pytestmark = pytest.mark.integration

PARTS = ("kafka", "mongo", "api", "live")
SUSPENDED_S = SESSION_S + 5
assert SUSPENDED_S * 1000 > SESSION_TIMEOUT_MS


@pytest.fixture(scope="module")
def here(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("suspended")
    made = Settings(home=home, jars=settings.jars_dir, api_requests_per_window=100_000, **ports.for_a_stack())
    lifecycle.up(made, ["mongo"])
    with MongoClient[dict[str, Any]](made.mongo) as client:
        live_corpus.publish(client[made.mongo_database])
    live_corpus.promote(made, seed=0)
    lifecycle.up(made, PARTS)
    yield made
    lifecycle.down(made)


@pytest.fixture(scope="module")
def token(here: Settings) -> str:
    with MongoClient[dict[str, Any]](here.mongo) as client:
        return Accounts(client[here.mongo_database]).add("sleeper")


@contextmanager
def listening(here: Settings, token: str, since: int) -> Iterator[set[int]]:
    """Send a listen every half second, each until it is answered with 200. Yield the times of those answered."""
    answered: set[int] = set()
    ended = threading.Event()
    url = f"http://127.0.0.1:{here.api_port}/1/submit-listens"

    def send() -> None:
        at = since
        with httpx.Client(headers={"Authorization": f"Token {token}"}, timeout=10) as player:
            while not ended.wait(0.5):
                names = {"artist_name": "Artist 1", "track_name": "Title 1"}
                listen = {"listened_at": at, "track_metadata": names}
                try:
                    answer = player.post(url, json={"listen_type": "single", "payload": [listen]})
                except httpx.TransportError:
                    continue
                if answer.status_code == 200:
                    answered.add(at)
                    at += 60

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield answered
    finally:
        ended.set()
        thread.join()


def suspend(here: Settings, names: list[str]) -> list[Any]:
    found = [process for name in names for process in processes.of(here.state_dir, name)]
    for process in found:
        process.suspend()
    return found


def suspended_of(here: Settings) -> set[str]:
    """Return the names of the services that are suspended."""
    return {each.name for each in lifecycle.services(here, PARTS) if each.state() is State.SUSPENDED}


@pytest.mark.parametrize(
    ("since", "names"),
    [
        (1_600_000_000, ["kafka"]),
        (1_610_000_000, ["mongo"]),
        (1_620_000_000, ["kafka", "mongo", "listens-api", "live"]),
    ],
)
def test_each_listen_that_was_answered_is_stored_once_and_all_is_well_again_without_help(
    here: Settings, token: str, since: int, names: list[str]
) -> None:
    with listening(here, token, since) as answered:
        eventually(lambda: answered)
        suspended = suspend(here, names)
        try:
            # A process stops when each of its threads has come to the signal, which takes a moment.
            eventually(lambda: suspended_of(here) == set(names))
            time.sleep(SUSPENDED_S)
        finally:
            before = len(answered)
            processes.resume(suspended)
        eventually(lambda: len(answered) > before + 5, timeout_s=120)
    with MongoClient[dict[str, Any]](here.mongo) as client:
        listens = client[here.mongo_database]["listens"]
        mine = {"listened_at": {"$gte": since, "$lt": since + 10_000_000}, "track_id": {"$exists": True}}

        def stored() -> list[int]:
            return sorted(found["listened_at"] for found in listens.find(mine))

        eventually(lambda: set(stored()) >= answered, timeout_s=120)
        assert stored() == sorted(answered)
    eventually(lambda: {each.state() for each in lifecycle.services(here, PARTS)} == {State.HEALTHY})


def test_up_resumes_what_is_suspended(here: Settings) -> None:
    before = {each.name: each.process() for each in lifecycle.services(here, PARTS)}
    suspend(here, ["kafka", "live"])
    eventually(lambda: suspended_of(here) == {"kafka", "live"})
    shown = subprocess.run(
        [Path(sys.prefix) / "bin" / "segue", "status"],
        env=os.environ | here.environment | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in shown.stdout.splitlines()]
    now = {row[0] for row in rows if "suspended" in row and "was" not in row}  # not what it says of the past
    assert now == {"kafka", "live"}
    said: list[str] = []
    lifecycle.up(here, PARTS, said.append)
    assert said == [f"{name} was suspended, and continues." for name in ("kafka", "live")]
    assert {each.state() for each in lifecycle.services(here, PARTS)} == {State.HEALTHY}
    assert {each.name: each.process() for each in lifecycle.services(here, PARTS)} == before
