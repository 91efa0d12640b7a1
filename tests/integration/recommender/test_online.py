"""A challenger is compared with the champion, on a real API, database and registry."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure
from tests.support.api_server import eventually, serving
from tests.support.live_corpus import TRACKS, model, promote, publish, settings_of

from segue.api.accounts import Accounts
from segue.api.forgetting import forget_again
from segue.connections import champions
from segue.connections.kafka import Config
from segue.connections.model_version import Version
from segue.connections.registry import Registry
from segue.connections.windows import Offsets
from segue.listens.events import listen
from segue.listens.plays import recording_msid
from segue.listens.removals import Removals, user_key
from segue.listens.store import ListenStore
from segue.recommender.candidate import Lineage
from segue.recommender.components.blend import Blend
from segue.recommender.components.popularity import Popularity
from segue.recommender.model import NAME, Recommender
from segue.recommender.online import comparison
from segue.recommender.online import serving as online_serving
from segue.recommender.online.assignment import name_of
from segue.recommender.online.comparison import FEWEST, Verdict
from segue.recommender.online.deciding import decide
from segue.recommender.online.interleaving import Team
from segue.recommender.online.served_lists import KEPT, ServedList, ServedLists
from segue.recommender.serving.champion import Challenger, Champion, Served
from segue.recommender.serving.lists import COLLECTION, documents, listener_of
from segue.recommender.serving.one_listener import Recommending
from segue.recommender.serving.recommend import Wishes
from segue.settings import Settings

pytestmark = pytest.mark.integration

Documents = Database[dict[str, Any]]
NAMES = [f"listener {number}" for number in range(FEWEST)]


@pytest.fixture
def here(settings: Settings, kafka: Config, mongo: Documents) -> Settings:
    assert kafka
    assert mongo is not None
    made = settings_of(settings, f"online-{time.monotonic_ns()}")
    return made.model_copy(update={"challenger_share": 1.0})


@pytest.fixture
def database(here: Settings) -> Iterator[Documents]:
    with MongoClient[dict[str, Any]](here.mongo, tz_aware=True) as client:
        yield client[here.mongo_database]
        client.drop_database(here.mongo_database)


@pytest.fixture
def challenger(here: Settings) -> str:
    """Promote a champion, and name a challenger that ranks otherwise."""
    promote(here, seed=0)
    registry = Registry(here)
    tags = Lineage(Offsets({})).tags()
    alike = model(3)
    turned = {"popularity": Popularity(np.linspace(2, 1, TRACKS, dtype=np.float32))}
    blend = Blend({**alike.blend.components, **turned}, alike.recipe.weights)
    other = Recommender(alike.catalogue, blend, alike.recipe)
    version = registry.register(NAME, other.save, parameters={}, metrics={}, tags=tags, report={})
    registry.challenge(version)
    return str(version)


def recommend(database: Documents, here: Settings, *names: str) -> None:
    """Store the champion's lists, as the live recommendations do."""
    served, listens = following(Champion(here), here), ListenStore(database)
    listeners = {name: listener_of(served, listens.history(name)) for name in names}
    for made in documents(served, listeners, now=time.time(), wishes=Wishes()):
        database[COLLECTION].replace_one({"_id": made["_id"]}, made, upsert=True)


def following(follower: Champion, here: Settings) -> Served:
    follower.look(Registry(here))
    assert follower.served is not None
    return follower.served


def serves(database: Documents, here: Settings) -> Recommending:
    """Serve as a new process of the API does."""
    champion, challenger = Champion(here), Challenger(here)
    following(champion, here), following(challenger, here)
    recommending = Recommending(database, champion)
    share = here.challenger_share
    between = online_serving.Comparing(database, champion, challenger, share, recommending.made)
    recommending.replace_by(between.served)
    return recommending


def serve_everybody(database: Documents, here: Settings) -> None:
    """Let all listeners look at their lists."""
    recommend(database, here, *NAMES)
    recommending = serves(database, here)
    for name in NAMES:
        recommending.stored(name)


def tracks_of(found: dict[str, Any] | None) -> list[str]:
    assert found is not None
    return [item["track_id"] for item in found["items"]]


def challenger_of(here: Settings) -> Version:
    found = Registry(here).challenger(NAME)
    assert found is not None
    return found


def lists_of(database: Documents, here: Settings, name: str) -> list[ServedList]:
    return list(ServedLists(database).interleaved(name_of(challenger_of(here)), name))


def play(database: Documents, here: Settings, team: Team, count: int) -> None:
    """Let each listener play some tracks of one team."""
    for name in NAMES:
        [served] = lists_of(database, here, name)
        picked = [track for track, of in zip(served.track_ids, served.teams, strict=True) if of is team]
        at = int(served.served_at.timestamp()) + 60
        ListenStore(database).put(listen(name, track, at) for track in picked[:count])


def test_listeners_who_take_part_get_the_same_interleaved_list_from_every_process(
    database: Documents, here: Settings, challenger: str
) -> None:
    recommend(database, here, "anna")
    first = serves(database, here).stored("anna")
    own = tracks_of(database[COLLECTION].find_one({"_id": "anna"}))
    assert tracks_of(first) != own
    assert tracks_of(serves(database, here).stored("anna")) == tracks_of(first), "as after a crash"
    assert [item["rank"] for item in (first or {})["items"]] == list(range(1, 26))
    assert not any("team" in item for item in (first or {})["items"])
    [stored] = lists_of(database, here, "anna")
    assert list(stored.track_ids) == tracks_of(first)
    assert Counter(stored.teams) == {Team.CHAMPION: 12, Team.CHALLENGER: 12, None: 1}
    assert (stored.champion, stored.propensity) == ("recommender/1", 1.0)
    assert stored.comparison.startswith(f"{challenger} since 20")


def test_a_new_list_of_the_champion_is_interleaved_anew(
    database: Documents, here: Settings, challenger: str
) -> None:
    recommending = serves(database, here)
    recommend(database, here, "anna")
    before = recommending.stored("anna")
    ListenStore(database).put([listen("anna", "t05", int(time.time()))])
    recommend(database, here, "anna")
    after = recommending.stored("anna")
    assert "t05" not in tracks_of(after)
    assert tracks_of(after) != tracks_of(before)
    assert challenger
    assert len(lists_of(database, here, "anna")) == 2


def test_the_others_get_the_champions_list_and_it_is_kept_too(
    database: Documents, here: Settings, challenger: str
) -> None:
    few = here.model_copy(update={"challenger_share": 0.0001})
    recommend(database, here, "anna")
    assert tracks_of(serves(database, few).stored("anna")) == tracks_of(
        database[COLLECTION].find_one({"_id": "anna"})
    )
    [kept] = database["served_lists"].find()
    assert (kept["interleaved"], kept["propensity"], kept["teams"]) == (False, 0.9999, [])
    assert challenger
    assert ServedLists(database).listeners(name_of(challenger_of(here))) == []


def test_the_better_challenger_becomes_the_champion_and_the_comparison_ends(
    database: Documents, here: Settings, challenger: str
) -> None:
    serve_everybody(database, here)
    undecided = decide("recommender/first", database, here, datetime.now(UTC))
    assert "too little to decide. The comparison goes on." in undecided.said
    play(database, here, Team.CHALLENGER, 3)
    assert comparison.read(database, name_of(challenger_of(here))).verdict() is Verdict.BETTER
    decided = decide("recommender/second", database, here, datetime.now(UTC))
    assert (decided.listeners, decided.plays) == (len(NAMES), (0, 3 * len(NAMES)))
    assert "It becomes the champion, in place of recommender/1" in decided.said
    registry = Registry(here)
    assert str(registry.champion(NAME)) == challenger
    assert registry.challenger(NAME) is None
    assert registry.rollback(NAME).number == 1
    assert decide("recommender/second", database, here, datetime.now(UTC)) == decided, "the task was cleared"
    assert decide("recommender/third", database, here, datetime.now(UTC)).challenger is None
    assert database[online_serving.COLLECTION].count_documents({}) == 0


def test_a_worse_challenger_is_served_no_more(database: Documents, here: Settings, challenger: str) -> None:
    serve_everybody(database, here)
    assert challenger
    play(database, here, Team.CHAMPION, 3)
    assert "the champion stays" in decide("recommender/first", database, here, datetime.now(UTC)).said
    assert champions.read(here) == {NAME: "1"}
    assert champions.read(here, champions.CHALLENGER) == {}


def test_served_lists_are_deleted_when_they_are_old_and_with_their_user(
    database: Documents, here: Settings, challenger: str
) -> None:
    assert challenger
    recommend(database, here, "anna", "bob")
    for name in ("anna", "bob"):
        serves(database, here).stored(name)
    Removals(database).add(user_key("anna"))
    assert forget_again(database)["served lists"] == 1
    for collection, field in (
        (database["served_lists"], "user_name"),
        (database[online_serving.COLLECTION], "_id"),
    ):
        assert [each[field] for each in collection.find()] == ["bob"]
    later = datetime.now(UTC) + KEPT + timedelta(minutes=1)
    decide("recommender/first", database, here, later)
    assert database["served_lists"].count_documents({}) == 1, "its comparison goes on"
    registry = Registry(here)
    assert registry.end_challenge(challenger_of(here))
    decide("recommender/second", database, here, later)
    assert database["served_lists"].count_documents({}) == 0


def test_what_a_listener_hates_is_drafted_for_neither_model(
    database: Documents, here: Settings, challenger: str
) -> None:
    assert challenger
    recommend(database, here, "anna")
    best = tracks_of(database[COLLECTION].find_one({"_id": "anna"}))[0]
    msid = recording_msid(f"Artist {int(best[1:])}", f"Title {int(best[1:])}", None)
    hated = {"user_name": "anna", "recording_msid": msid, "score": -1}
    database["feedback"].insert_one(hated)
    shown = tracks_of(serves(database, here).stored("anna"))
    assert best not in shown
    assert len(shown) == 25


def test_a_comparison_that_fails_costs_nobody_the_list(
    database: Documents, here: Settings, challenger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OperationFailure("the disk is full")

    assert challenger
    recommend(database, here, "anna")
    recommending = serves(database, here)
    monkeypatch.setattr(ServedLists, "add", refused)
    assert tracks_of(recommending.stored("anna")) == tracks_of(database[COLLECTION].find_one({"_id": "anna"}))


def test_a_version_that_is_named_again_begins_a_new_comparison(
    database: Documents, here: Settings, challenger: str
) -> None:
    serve_everybody(database, here)
    play(database, here, Team.CHALLENGER, 3)
    registry = Registry(here)
    registry.end_challenge(challenger_of(here))
    registry.challenge(registry.version(NAME, int(challenger.partition("/")[2])))
    assert comparison.read(database, name_of(challenger_of(here))).listeners == 0


def test_the_api_serves_interleaved_lists_and_the_champions_again_when_the_comparison_has_ended(
    database: Documents, here: Settings, challenger: str
) -> None:
    publish(database)
    token = Accounts(database).add("anna")
    recommend(database, here, "anna")
    own = tracks_of(database[COLLECTION].find_one({"_id": "anna"}))
    with serving(here) as url, httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}) as client:

        def shown() -> list[str]:
            return tracks_of(client.get("/v1/users/anna/recommendations").raise_for_status().json())

        eventually(lambda: shown() != own)
        answer = client.get("/1/cf/recommendation/user/anna/recording").raise_for_status().json()["payload"]
        assert [each["segue"]["track_id"] for each in answer["mbids"]] == shown()
        assert challenger
        assert len(lists_of(database, here, "anna")) == 1
        Registry(here).end_challenge(challenger_of(here))
        eventually(lambda: shown() == own)
