"""The store of listens on a real document server."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from segue.streaming.events import Listen
from segue.streaming.matching import TrackIndex
from segue.streaming.plays import Play, event_of
from segue.streaming.store import COLLECTION, ListenStore

pytestmark = pytest.mark.integration


@pytest.fixture
def database(mongo: Database[dict[str, Any]]) -> Database[dict[str, Any]]:
    return mongo.client["segue-listen-store"]


def listen(user: str, at: int) -> Listen:
    return event_of(user, Play(at, "Björk", "Jóga"), TrackIndex([]))


def test_what_comes_again_changes_nothing_and_keeps_nothing_else_out(database: Database[dict[str, Any]]) -> None:
    store = ListenStore(database)
    first, second, third = (listen("anna", 1_600_000_000 + i) for i in range(3))
    store.put([first, second])
    store.put([second.model_copy(update={"source": "another player"}), third, third])
    assert store.of_user("anna") == [third, second, first]


def test_what_the_server_refuses_is_told_also_among_what_is_there(database: Database[dict[str, Any]]) -> None:
    strict = ListenStore(database.client["segue-listen-store-strict"])
    schema = {"$jsonSchema": {"properties": {"user_name": {"enum": ["anna", "ben"]}}}}
    database.client["segue-listen-store-strict"].create_collection(COLLECTION, validator=schema)
    there = listen("anna", 1_600_000_000)
    strict.put([there])
    with pytest.raises(BulkWriteError, match=r"(?i)validation"):
        strict.put([there, listen("carla", 1_600_000_000), listen("ben", 1_600_000_000)])
    assert strict.count("ben") == 1
