"""One member of the live recommendations, in this process, where something is missing, late or removed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.coordinator.base import BaseCoordinator
from kafka.errors import CoordinatorNotAvailableError, KafkaConnectionError
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.api_server import eventually
from tests.support.leaks import grown, held
from tests.support.live_corpus import TRACKS, environment, model, promote, settings_of
from typer.testing import CliRunner

from segue.api import forgetting
from segue.cli import app
from segue.connections import kafka, offsets
from segue.connections.kafka import Config
from segue.connections.kafka import config as kafka_config
from segue.connections.topics import create_topics
from segue.demo import answer
from segue.demo.listeners import Audience, CorpusTrack
from segue.errors import StackError
from segue.listens.events import Listen, listen
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.listens.plays import Play, event_of
from segue.listens.removals import Removals, event_key, listen_key
from segue.listens.store import ListenStore
from segue.recommender.serving.champion import Champion, Served
from segue.recommender.serving.live import Live, heartbeat
from segue.settings import Settings
from segue.stack import documents as document_server
from segue.stack import lifecycle

pytestmark = pytest.mark.integration

SERVED = Served("recommender/1", model(0))
AT = 1_700_000_000


@pytest.fixture(scope="module")
def here(settings: Settings, kafka: Config, mongo: Database[dict[str, Any]]) -> Settings:
    assert kafka
    assert mongo is not None
    made = settings_of(settings, "member")
    heartbeat(made).parent.mkdir(parents=True)
    return made


@pytest.fixture(scope="module")
def database(here: Settings) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](here.mongo, tz_aware=True) as client:
        yield client[here.mongo_database]


@pytest.fixture
def producer(here: Settings) -> Iterator[KafkaProducer]:
    create_topics(here)
    with KafkaProducer(**kafka_config(here), acks="all") as made:
        yield made


def member(settings: Settings, served: Served | None = SERVED) -> Live:
    """Make a member whose champion is given, not looked up."""
    champion = Champion(settings)
    champion.served = served
    champion.looked.set()
    return Live(settings, champion)


@contextmanager
def running(live: Live) -> Iterator[None]:
    thread = threading.Thread(target=live.run, daemon=True)
    thread.start()
    try:
        yield
    finally:  # else it would answer in the tests after one that fails
        live.stopping.set()
        thread.join(30)
        live._database.client.close()
    assert not thread.is_alive()


def send(settings: Settings, producer: KafkaProducer, *events: Listen) -> None:
    for event in events:
        producer.send(settings.listens_topic, event.model_dump_json().encode(), event.user_name.encode())
    producer.flush()


def because(database: Database[dict[str, Any]], name: str) -> set[str]:
    """Tell which tracks a listener's list is made from."""
    found = database["recommendations"].find_one({"_id": name}) or {"items": []}
    return {each["track_id"] for item in found["items"] for each in item["because"]}


def test_a_list_of_another_member_that_is_newer_stays(
    here: Settings, database: Database[dict[str, Any]], producer: KafkaProducer
) -> None:
    ahead = datetime.fromtimestamp(time.time() + 3600, UTC)
    database["recommendations"].insert_one({"_id": "ahead", "generated_at": ahead, "items": ["newer"]})
    live = member(here)
    live._waiting = dict.fromkeys(("ahead", "other"))
    live._recommend(SERVED, ["ahead", "other"], producer)
    live._database.client.close()
    assert live._waiting == {}
    assert database["recommendations"].find_one({"_id": "ahead"})["items"] == ["newer"]  # type: ignore[index]
    assert database["recommendations"].find_one({"_id": "other"})["model_version"] == "recommender/1"  # type: ignore[index]


def test_what_is_taken_back_is_not_ranked_from_again(
    here: Settings, database: Database[dict[str, Any]], producer: KafkaProducer
) -> None:
    live, listens = member(here), ListenStore(database)
    index = TrackIndex([CatalogueEntry("t03", "Artist 3", "Title 3")])
    first = listen("deleting", "t01", AT)
    second = event_of("deleting", Play(AT, "Artist 3", "Title 3"), index)
    named = ("deleting", AT, str(second.recording_msid))
    left = listen("leaving", "t05", AT)

    def ranked() -> tuple[set[str], set[str]]:
        live._waiting = dict.fromkeys(("deleting", "leaving"))
        live._recommend(SERVED, list(live._waiting), producer)
        return because(database, "deleting"), because(database, "leaving")

    listens.put([first, second, left])
    assert ranked() == ({"t01", "t03"}, {"t05"})
    Removals(database).add(listen_key(*named))
    assert ranked()[0] == {"t01", "t03"}, "noted, and not yet removed"
    assert listens.remove(*named) == 1
    forgetting.forget_in_database(database, "leaving")
    assert ranked() == ({"t01"}, set())
    live._database.client.close()
    database["recommendations"].delete_one({"_id": "leaving"})


def test_what_is_removed_while_it_is_stored_is_not_ranked_from(
    here: Settings, database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = member(here)
    kept, gone = listen("discarding", "t01", AT), listen("discarding", "t03", AT)
    assert live._histories.of("discarding").times == {}
    put = live._listens.put

    def put_while_removing(events: list[Listen]) -> None:
        put(events)
        Removals(database).add(event_key(gone.event_id))

    monkeypatch.setattr(live._listens, "put", put_while_removing)
    live._keep([SimpleNamespace(value=event.model_dump_json()) for event in (kept, gone)])
    assert set(live._histories.of("discarding").times) == {"t01"}
    assert set(ListenStore(database).history("discarding").times) == {"t01"}
    live._database.client.close()


def test_listens_before_the_first_champion_are_not_lost_by_a_kill(
    here: Settings, database: Database[dict[str, Any]], producer: KafkaProducer
) -> None:
    with running(member(here, served=None)):
        send(here, producer, listen("early", "t07", AT))
        eventually(lambda: database["listens"].find_one({"user_name": "early"}))
    assert because(database, "early") == set()
    with running(member(here)):
        eventually(lambda: because(database, "early") == {"t07"})


def test_plays_of_the_version_before_are_ranked_from(
    here: Settings, database: Database[dict[str, Any]], producer: KafkaProducer
) -> None:
    play = {"_id": "old", "user_name": "earlier", "track_id": "t05", "listened_at": AT}
    database["plays"].insert_one(play)
    with running(member(here)):
        send(here, producer, listen("earlier", "t01", AT + 1))
        eventually(lambda: because(database, "earlier") == {"t01", "t05"})
    assert database.list_collection_names(filter={"name": "plays"}) == []


@pytest.mark.embedded_documents
def test_it_waits_for_the_document_server_and_catches_up(
    settings: Settings, here: Settings, database: Database[dict[str, Any]], producer: KafkaProducer
) -> None:
    with running(member(here)):
        send(here, producer, listen("before", "t01", AT))
        eventually(lambda: because(database, "before") == {"t01"})
        process = document_server.service(settings).process()
        process.kill()
        process.wait()
        send(here, producer, *(listen(f"meanwhile-{i}", f"t{i:02}", AT + i) for i in range(TRACKS)))
        lifecycle.up(settings, ["mongo"])
        mine = {"_id": {"$regex": "^meanwhile-"}}
        eventually(lambda: database["recommendations"].count_documents(mine) == TRACKS)


def test_the_command_line_ranks_a_listener_and_says_why(
    here: Settings, database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("segue.commands.recommend", "segue.connections.mongo"):
        monkeypatch.setattr(f"{module}.get_settings", lambda: here)
    early = CliRunner().invoke(app, ["recommend", "asking"])
    assert early.exit_code == 1
    assert "run the DAG `recommender`" in early.stderr
    version = promote(here, seed=0)
    ListenStore(database).put([listen("asking", "t03", AT)])
    shown = CliRunner().invoke(app, ["recommend", "asking", "--count", "4"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert f"For asking, by {version}" in shown.stdout
    rows = [line for line in shown.stdout.splitlines() if "Because you played “Title 3”" in line]
    assert len(rows) == 4
    familiar = CliRunner().invoke(app, ["recommend", "asking", "--discover", "0"], env={"COLUMNS": "200"})
    assert "Artist 3 " in familiar.stdout
    assert CliRunner().invoke(app, ["recommend", "asking", "--discover", "2"]).exit_code == 2
    stranger = CliRunner().invoke(app, ["recommend", "nobody known"])
    assert stranger.exit_code == 0, "a new listener gets a list too"
    assert "There is no user 'nobody known', and nobody has listened under this name." in stranger.stderr
    assert "There is no user" not in shown.stderr


def test_a_worker_that_dies_is_started_again(
    here: Settings, database: Database[dict[str, Any]], producer: KafkaProducer
) -> None:
    promote(here, seed=0)
    command = Path(sys.executable).with_name("segue")
    with subprocess.Popen([command, "live"], env=environment(here)) as service:

        def worker() -> psutil.Process | None:
            for child in psutil.Process(service.pid).children():
                with suppress(psutil.Error):  # it has just ended
                    # Between fork and exec a child has its parent's command line.
                    if "segue.recommender.serving.live" in child.cmdline():
                        return child
            return None

        try:
            first = eventually(worker)
            first.kill()
            eventually(lambda: (found := worker()) is not None and found.pid != first.pid)
            send(here, producer, listen("after", "t09", AT))
            eventually(lambda: because(database, "after") == {"t09"})
        finally:
            service.terminate()
        assert service.wait(30) == 0


def test_a_member_whose_heartbeats_have_ended_joins_again_though_nobody_listens(
    here: Settings, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As kafka-python's did after a restart of the broker."""
    lonely = here.model_copy(update={"live_group": "lonely"})
    with KafkaAdminClient(**kafka_config(here)) as admin, running(member(lonely)):

        def members() -> list[str]:
            with suppress(CoordinatorNotAvailableError):  # of a group that is not there yet
                return [each["member_id"] for each in admin.describe_groups(["lonely"])["lonely"]["members"]]
            return []

        send(lonely, producer, listen("lonely", "t01", AT))  # else there is no offset to commit
        (first,) = eventually(members)
        with monkeypatch.context() as patch:
            patch.setattr(BaseCoordinator, "_do_heartbeat", _never)
            eventually(lambda: first not in members(), timeout_s=40)
        assert eventually(members, timeout_s=40) != [first]


def test_a_member_that_ranks_for_longer_than_the_poll_interval_stays_in_its_group(
    here: Settings, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its commit would be refused, and it would rank the same listeners again, for ever."""
    slow = here.model_copy(update={"live_group": "slow"})
    ranked: Counter[str] = Counter()
    consumer, recommend = kafka.consumer, Live._recommend

    def impatient(config: kafka.Config, **more: Any) -> Any:
        return consumer(config, **more, max_poll_interval_ms=6_000)

    def slowly(live: Live, served: Served, users: list[str], to: KafkaProducer) -> None:
        ranked.update(users)
        time.sleep(0.5)
        recommend(live, served, users, to)

    monkeypatch.setattr(kafka, "consumer", impatient)
    monkeypatch.setattr(Live, "_recommend", slowly)
    monkeypatch.setattr("segue.recommender.serving.live.BATCH", 1)
    names = [f"many-{i}" for i in range(18)]
    send(slow, producer, *(listen(name, "t01", AT) for name in names))
    config = kafka.config(slow)
    with running(member(slow)):
        eventually(lambda: not offsets.backlog(config, slow.listens_topic, "slow").size)
    assert {name: ranked[name] for name in names} == dict.fromkeys(names, 1)


@pytest.mark.parametrize("client", ["consumer", "producer"])
def test_a_round_that_opens_only_one_of_its_clients_closes_it(
    here: Settings, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    def away(*_: object, **__: object) -> None:
        raise KafkaConnectionError("no broker answers")

    live = member(here)
    monkeypatch.setattr(kafka, client, away)

    def fail() -> None:
        with pytest.raises(KafkaConnectionError):
            live._follow()

    fail()
    before = held()
    for _ in range(100):
        fail()
    assert grown(before) < 20
    live._database.client.close()


async def _never(coordinator: BaseCoordinator) -> None:
    await coordinator._heartbeat_wakeup(3600)


def test_the_demo_measures_how_soon_a_listen_is_answered(
    here: Settings, database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = [
        CorpusTrack(track_id, title, None, [float(i)])
        for i, (track_id, title) in enumerate(
            zip(SERVED.model.catalogue.track_ids, SERVED.model.catalogue.titles, strict=True)
        )
    ]
    audience = Audience(tracks, listeners=1, seed=0)
    with running(member(here)):
        assert answer.seconds_to_answer(here, audience) > 0
    assert because(database, "sim-0001") == {tracks[0].track_id}

    monkeypatch.setattr(answer, "STILL_S", 1)
    with pytest.raises(StackError, match="sim-0001 has played a track and got no new recommendations"):
        answer.seconds_to_answer(here, audience)
    with pytest.raises(StackError, match="have 1 listens to read and have read none"):
        answer.seconds_to_answer(here, audience)
