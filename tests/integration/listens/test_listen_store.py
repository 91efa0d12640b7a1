"""The store of listens on a real document server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from segue.api import forgetting
from segue.api.accounts import CACHED_S, Accounts
from segue.listens.events import Listen
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.listens.plays import Play, event_of
from segue.listens.removals import Removals, event_key, user_key
from segue.listens.store import COLLECTION, ListenStore, in_parts

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


def test_a_skip_is_stored_and_counts_nowhere(database: Database[dict[str, Any]]) -> None:
    store, corpus = ListenStore(database), TrackIndex([CatalogueEntry("t1", "Björk", "Jóga")])
    at = 1_600_000_000
    play, skip = (
        event_of("skip", Play(at + seconds, "Björk", "Jóga", None, {"duration_played": seconds}), corpus)
        for seconds in (200, 4)
    )
    store.put([play, skip])
    assert (store.of_user("skip"), store.count("skip")) == ([play], 1)
    assert [each for each, _ in store.between("skip", at, at + 1_000)] == [at + 200]
    history = store.history("skip")
    assert (history.times, history.skips) == ({"t1": (at + 200,)}, {"t1": (at + 4,)})
    assert database[COLLECTION].find_one({"_id": skip.event_id})["skipped"] is True
    assert store.tracks_played_as("skip", [str(skip.recording_msid)]) == {"t1"}


def test_what_the_server_refuses_is_told_also_among_what_is_there(database: Database[dict[str, Any]]) -> None:
    strict = ListenStore(database.client["segue-listen-store-strict"])
    schema = {"$jsonSchema": {"properties": {"user_name": {"enum": ["anna", "ben"]}}}}
    database.client["segue-listen-store-strict"].create_collection(COLLECTION, validator=schema)
    there = listen("anna", 1_600_000_000)
    strict.put([there])
    with pytest.raises(BulkWriteError, match=r"(?i)validation"):
        strict.put([there, listen("carla", 1_600_000_000), listen("ben", 1_600_000_000)])
    assert strict.count("ben") == 1


def test_what_is_taken_back_while_it_is_stored_does_not_stay(database: Database[dict[str, Any]]) -> None:
    store, removals = ListenStore(database), Removals(database)
    going, staying = (
        event_of(user, Play(1_600_000_000, "Björk", "Jóga"), TrackIndex([])) for user in ("gil", "hal")
    )

    def put_while_forgetting(events: Sequence[Listen]) -> None:
        removals.add(user_key("gil"))
        store.remove_user("gil")
        store.put(events)

    assert removals.store([going, staying], put_while_forgetting, store.discard) == [staying]
    assert (store.count("gil"), store.count("hal")) == (0, 1)
    assert removals.forgotten(["gil", "hal"]) == ["gil"]


def test_a_deleted_listen_stays_deleted_under_its_other_album(database: Database[dict[str, Any]]) -> None:
    store, removals = ListenStore(database), Removals(database)
    sent, again = (
        event_of("ida", Play(1_600_000_000, "Björk", "Jóga", album), TrackIndex([])) for album in ("X", "Y")
    )
    store.put([sent, again])
    removals.add(
        *map(
            event_key, (each.event_id for each in store.events("ida", sent.listened_at, str(sent.recording_msid)))
        )
    )
    assert removals.standing([sent, again]) == []


def test_forgetting_notes_last_what_the_api_still_took(
    database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Accounts(database).add("jan")
    taken = []

    def wait(seconds: float) -> None:  # meanwhile the API trusts the token that it remembers
        assert (seconds, Accounts(database).exists("jan")) == (CACHED_S + forgetting.UNDER_WAY_S, False)
        taken.append(event_of("jan", Play(1_600_000_000, "Björk", "Jóga"), TrackIndex([])))
        ListenStore(database).put(taken)

    monkeypatch.setattr(forgetting, "time", SimpleNamespace(sleep=wait))
    assert forgetting.forget_in_database(database, "jan")["listens"] == 1
    assert Removals(database).standing(taken) == []


def test_what_was_received_before_the_clock_was_set_back_is_forgotten_too(
    database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Accounts(database).add("eva")
    received = event_of("eva", Play(1_600_000_000, "Björk", "Jóga"), TrackIndex([]))
    received = received.model_copy(update={"received_at": time.time() + 3_600})
    ListenStore(database).put([received])
    monkeypatch.setattr(forgetting, "time", SimpleNamespace(sleep=lambda _: None))
    assert forgetting.forget_in_database(database, "eva")["listens"] == 1
    assert Removals(database).standing([received]) == []


def test_simulated_listeners_are_forgotten_together_and_nobody_with_an_account(
    database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Accounts(database).add("sim-real")
    names = ("sim-0", "sim-1", "sim-real", "simon")
    ListenStore(database).put(
        event_of(name, Play(1_600_000_000, "Björk", "Jóga"), TrackIndex([])) for name in names
    )
    database["recommendations"].insert_many([{"_id": "sim-9"}, {"_id": "simon"}])
    simulated = forgetting.simulated_listeners(database)
    assert simulated == ["sim-0", "sim-1", "sim-9"]
    waits: list[float] = []
    monkeypatch.setattr(forgetting, "time", SimpleNamespace(sleep=waits.append))
    gone = forgetting.forget_in_database(database, *simulated)
    assert (gone["account"], gone["listens"], gone["recommendations"], len(waits)) == (0, 2, 1, 1)
    assert forgetting.simulated_listeners(database) == []
    assert [ListenStore(database).count(name) for name in names] == [0, 0, 1, 1]


def test_the_parts_of_the_ids_hold_each_listen_once(mongo: Database[dict[str, Any]]) -> None:
    database = mongo.client["segue-listen-parts"]
    events = [listen("anna", 1_600_000_000 + number) for number in range(300)]
    ListenStore(database).put(events)
    ids = sorted(event.event_id for event in events)
    assert sorted(document["_id"] for document in in_parts(database)) == ids
    assert list(in_parts(database, "user_name", first=0, after=1)) == [
        {"_id": each, "user_name": "anna"} for each in ids if each.startswith("00")
    ]
    first_half, second_half = (in_parts(database, first=at, after=at + 128) for at in (0, 128))
    assert {each["_id"] for each in first_half} == {each for each in ids if each < "80"}
    assert {each["_id"] for each in second_half} == {each for each in ids if each >= "80"}
