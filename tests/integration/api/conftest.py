"""The listens API on a real broker and a real document server, with topics and a database of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.api_server import free_port, serving

from segue.api.accounts import Accounts
from segue.connections.kafka import Config
from segue.settings import Settings

TRACKS = [
    {"_id": "t1", "artist": "Rick Astley", "title": "Never Gonna Give You Up", "partition_date": "2026-01-01"},
    {"_id": "t2", "artist": "Björk", "title": "Jóga", "partition_date": "2026-01-01"},
]


@pytest.fixture(scope="session")
def api_settings(settings: Settings, kafka: Config, mongo: Database[dict[str, Any]]) -> Settings:
    """Settings of an API of its own on the shared broker and document server."""
    assert kafka
    assert mongo is not None
    return settings.model_copy(
        update={
            "api_port": free_port(),
            "mongo_database": "segue-api",
            "listens_topic": "api-listens",
            "feedback_topic": "api-feedback",
            "dead_letters_topic": "api-listens.dlq",
            "accounts_topic": "api-accounts",
            "api_requests_per_window": 100_000,
            "api_anonymous_requests_per_window": 100_000,
        }
    )


@pytest.fixture(scope="session")
def database(api_settings: Settings) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](api_settings.mongo, tz_aware=True) as client:
        found = client[api_settings.mongo_database]
        found["tracks"].insert_many(TRACKS)
        yield found


@pytest.fixture(scope="session")
def api(api_settings: Settings, database: Database[dict[str, Any]]) -> Iterator[str]:
    """Serve; return the URL."""
    assert database is not None
    with serving(api_settings) as url:
        yield url


@pytest.fixture
def new_user(database: Database[dict[str, Any]], request: pytest.FixtureRequest) -> tuple[str, str]:
    """An account of the test's own: name and token."""
    name = f"{request.node.name[:40].split('[')[0]}-{time.monotonic_ns()}"
    return name, Accounts(database).add(name)


@pytest.fixture
def client(api: str, new_user: tuple[str, str]) -> Iterator[httpx.Client]:
    """A client that sends the token of `new_user`."""
    with httpx.Client(base_url=api, headers={"Authorization": f"Token {new_user[1]}"}, timeout=30) as made:
        yield made
