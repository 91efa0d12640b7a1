"""The listens of the version before, in two collections, on each of SecantusDB's servers that this machine has."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.api_server import free_port

from segue.listens.events import Listen, listen
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.listens.migration import prepare
from segue.listens.plays import Play, event_of
from segue.listens.removals import Removals, listen_key
from segue.listens.store import COLLECTION, INDEXES, ListenStore
from segue.settings import Settings
from segue.stack import lifecycle
from segue.stack.document_servers import Kind

pytestmark = pytest.mark.integration

AT = 1_700_000_000
INDEX = TrackIndex([CatalogueEntry("joga", "Björk", "Jóga")])
MATCHED = [event_of("anna", Play(AT + i, "Björk", "Jóga"), INDEX) for i in range(700)]
UNMATCHED = [event_of("anna", Play(AT + i, "Björk", "Hunter"), INDEX) for i in range(300)]
NAMELESS = [listen("sim-0001", f"t{i}", AT + i) for i in range(600)]
NOT_YET_SHOWN = event_of("ben", Play(AT, "Björk", "Jóga"), INDEX)
"""Read by the live recommendations before the API had read it."""
DELETED = event_of("ben", Play(AT + 1, "Björk", "Jóga"), INDEX)
"""The API was killed after it had noted the removal, and before it had removed the play."""

KILL = """
import os, signal, sys
from pymongo import MongoClient, monitoring
from segue.listens.migration import prepare

class Kill(monitoring.CommandListener):
    left = int(sys.argv[3])
    def started(self, event):
        Kill.left -= 1
        if Kill.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    def succeeded(self, event): pass
    def failed(self, event): pass

prepare(MongoClient(sys.argv[1], event_listeners=[Kill()])[sys.argv[2]])
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, settings: Settings, each_server: Kind) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp(each_server)
    made = settings.model_copy(update={"home": home, "document_server": each_server, "mongo_port": free_port()})
    lifecycle.up(made, ["mongo"])
    yield made
    lifecycle.down(made)


@pytest.fixture
def database(own: Settings, request: pytest.FixtureRequest) -> Iterator[Database[dict[str, Any]]]:
    """Fill the collections as the version before did."""
    with MongoClient[dict[str, Any]](own.mongo) as client:
        made = client[f"migration-{abs(hash(request.node.name))}"]
        made["listens"].create_index([("user_name", 1), ("listened_at", -1)])
        made["listens"].insert_many(
            {
                "_id": event.event_id,
                "user_name": event.user_name,
                "listened_at": event.listened_at,
                "recording_msid": event.recording_msid,
                "event": event.model_dump_json(exclude_none=True),
            }
            for event in (*MATCHED, *UNMATCHED)
        )
        for recording in ("recording_msid", "recording_mbid"):
            made["plays"].create_index([("user_name", 1), (recording, 1)])
        made["plays"].insert_many(
            {
                "_id": event.event_id,
                "user_name": event.user_name,
                "track_id": event.track_id,
                "listened_at": event.listened_at,
                "recording_msid": event.recording_msid,
                "recording_mbid": event.recording_mbid,
            }
            for event in (*MATCHED, *NAMELESS, NOT_YET_SHOWN, DELETED)
        )
        Removals(made).add(listen_key("ben", DELETED.listened_at, DELETED.recording_msid))
        yield made


def check(database: Database[dict[str, Any]]) -> None:
    store = ListenStore(database)
    assert store.count("anna") == len(MATCHED) + len(UNMATCHED)
    newest = sorted((*MATCHED, *UNMATCHED), key=lambda event: -event.listened_at)
    assert _as_json(store.of_user("anna", count=400)) == _as_json(newest[:400])
    assert store.history("anna").times == {"joga": tuple(AT + i for i in range(len(MATCHED)))}
    assert store.history("sim-0001").times == {f"t{i}": (AT + i,) for i in range(len(NAMELESS))}
    assert store.count("sim-0001") == 0, "they have no names to show"
    assert store.history("ben").times == {"joga": (AT,)}
    assert database[COLLECTION].count_documents({}) == len(MATCHED) + len(UNMATCHED) + len(NAMELESS) + 1
    assert set(database[COLLECTION].index_information()) == {"_id_", *(each.document["name"] for each in INDEXES)}
    assert database.list_collection_names(filter={"name": "plays"}) == []


def _as_json(events: list[Listen]) -> list[str]:
    return sorted(event.model_dump_json() for event in events)


def test_two_collections_become_one(database: Database[dict[str, Any]]) -> None:
    lines: list[str] = []
    prepare(database, lines.append)
    check(database)
    assert [line.split()[0] for line in lines] == ["500", "1,000", "500", "1,000", "1,302"]
    prepare(database, lines.append)
    assert len(lines) == 5, "what is done is not looked for again"

    store = ListenStore(database)
    store.put([NOT_YET_SHOWN, NAMELESS[0]])  # the API reads the message at last
    assert store.of_user("ben") == [NOT_YET_SHOWN]
    assert len(store.history("ben")) == 1, "no listen counts twice"
    assert store.tracks_played_as("ben", [str(NOT_YET_SHOWN.recording_msid)]) == {"joga"}
    assert store.remove("ben", AT, str(NOT_YET_SHOWN.recording_msid)) == 2
    assert len(store.history("ben")) == 0


def test_a_migration_that_is_killed_again_and_again_is_taken_up_again(
    own: Settings, database: Database[dict[str, Any]]
) -> None:
    codes: list[int] = []
    while not codes or codes[-1] == -signal.SIGKILL:
        commands = str(4 * (len(codes) + 1))
        process = [sys.executable, "-c", KILL, own.mongo, database.name, commands]
        codes.append(subprocess.run(process, check=False).returncode)
    assert codes[-1] == 0
    assert len(codes) > 2
    check(database)


def test_a_new_corpus_gets_its_indexes(own: Settings) -> None:
    with MongoClient[dict[str, Any]](own.mongo) as client:
        for _ in range(2):
            prepare(client["new"])
        assert len(list(client["new"][COLLECTION].list_indexes())) == 1 + len(INDEXES)
