"""The commands around the API: users, import, dlq, simulate, forget."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaProducer
from pymongo.database import Database
from tests.support.api_server import in_kafka
from typer.testing import CliRunner, Result

from segue.api.accounts import COLLECTION
from segue.api.sessions import Sessions, md5_hex
from segue.audio.definition import N_FEATURES
from segue.cli import app
from segue.connections import kafka as kafka_clients
from segue.connections import whole_topics
from segue.connections.kafka import Config
from segue.connections.topics import create_topics
from segue.listens import dead_letters, importing
from segue.listens.events import Listen, listen
from segue.listens.exports.lastfm import lastfm
from segue.listens.exports.lines import Line
from segue.listens.follower import Follower
from segue.listens.matching import TrackIndex
from segue.listens.removals import Removals
from segue.listens.store import ListenStore
from segue.listens.writer import EventWriter
from segue.settings import Settings
from segue.tracks.vectors import pack

pytestmark = pytest.mark.integration


@pytest.fixture
def run(settings: Settings, kafka: Config, mongo: Database[dict[str, Any]]) -> Any:
    """Run the command line on the tests' stack, whose settings this process has."""
    assert kafka
    assert mongo is not None
    create_topics(settings)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return invoke


def history(path: Path, plays: int) -> Path:
    lines = [
        f"Björk,Homogenic,Track {i},{time.strftime('%d %b %Y %H:%M', time.gmtime(1.7e9 + 300 * i))}\n"
        for i in range(plays)
    ]
    path.write_text("".join(lines))
    return path


def test_users_are_added_listed_rotated_and_revoked(run: Any, mongo: Database[dict[str, Any]]) -> None:
    added = run("users", "add", "anna")
    token = added.stdout.splitlines()[0]
    assert added.exit_code == 0
    assert token.encode() not in repr(mongo[COLLECTION].find_one({"_id": "anna"})).encode()
    assert "/u/anna#code=" in run("users", "link", "anna").stdout
    assert run("users", "link", "nobody").exit_code == 1
    again = run("users", "add", "anna")
    assert (again.exit_code, "rotate" in again.output) == (1, True)
    assert run("users", "add", "$where: 1").exit_code == 1
    assert run("users", "rotate", "anna").stdout.splitlines()[0] != token
    assert run("users", "revoke", "anna").exit_code == 0
    assert "revoked" in run("users", "list").output
    assert run("users", "rotate", "nobody").exit_code == 1


def test_signing_in_by_md5_is_allowed_and_forbidden_by_the_user_who_has_the_token(
    run: Any, mongo: Database[dict[str, Any]]
) -> None:
    token = run("users", "add", "mia").stdout.splitlines()[0]
    allow = lambda typed: CliRunner().invoke(app, ["users", "md5", "mia"], input=f"{typed}\n")  # noqa: E731
    refused = allow("wrong")
    assert (refused.exit_code, "not the token of 'mia'" in refused.output) == (1, True)
    assert allow(token).exit_code == 0
    sessions = Sessions(mongo)
    key = sessions.open_by_md5("mia", md5_hex(token))
    assert sessions.of(key or "") == "mia"
    assert run("users", "md5", "mia", "--forbid").exit_code == 0
    assert (sessions.of(key or ""), sessions.md5_of("mia")) == (None, None)


def test_a_scrobbler_log_is_imported(run: Any, settings: Settings, tmp_path: Path) -> None:
    run("users", "add", "rocky")
    log = tmp_path / ".scrobbler.log"
    noon = 1_688_212_800
    log.write_text(
        "#AUDIOSCROBBLER/1.1\n#TZ/UNKNOWN\n#CLIENT/Rockbox\n"
        f"Björk\tHomogenic\tJóga\t2\t305\tL\t{noon}\t\nBjörk\tHomogenic\tHunter\t1\t255\tS\t{noon + 300}\t\n"
    )
    imported = run("import", "rockbox", str(log), "--user", "rocky", "--time-zone", "Europe/Berlin")
    assert "1 listens sent" in imported.output
    assert "skipped on the player" in imported.output
    assert imported.exit_code == 0
    [event] = in_kafka(settings, "rocky")
    assert (event.listened_at, event.source) == (noon - 7_200, "rockbox")
    assert run("import", "rockbox", str(log), "--user", "rocky", "--time-zone", "Mars").exit_code == 1


def test_history_is_imported_once_and_can_be_forgotten(
    run: Any, settings: Settings, mongo: Database[dict[str, Any]], tmp_path: Path
) -> None:
    export = history(tmp_path / "history.csv", 1_200)
    assert run("import", "lastfm", str(export), "--user", "bert").exit_code == 1
    run("users", "add", "bert")
    nothing = tmp_path / "nothing.csv"
    nothing.write_text("a,b,c,01 Jan 1970 00:00\n")
    for _ in range(2):
        refused = run("import", "lastfm", str(nothing), "--user", "bert")
        assert (refused.exit_code, "Nothing was sent" in refused.output) == (1, True)
    imported = run("import", "lastfm", str(export), "--user", "bert")
    assert "1,200 listens sent" in imported.output
    assert "0 listens sent" in run("import", "lastfm", str(export), "--user", "bert").output
    events = in_kafka(settings, "bert")
    assert len(events) == len({event.event_id for event in events}) == 1_200
    ListenStore(mongo).put(events)
    forgotten = run("users", "forget", "bert", "--yes")
    assert "1 account, 1,200 listens" in forgotten.output
    assert Removals(mongo).standing(events) == []
    run("users", "add", "bert")
    assert "1,200 listens sent" in run("import", "lastfm", str(export), "--user", "bert").output


def test_simulated_listeners_can_be_purged_and_people_stay(run: Any, mongo: Database[dict[str, Any]]) -> None:
    store = ListenStore(mongo)
    people = {"sim-1": "simulated", "sim-2": "simulated", "vera": "lastfm"}
    store.put(
        [listen(name, "t1", 1_700_000_000 + at, source=source) for at, (name, source) in enumerate(people.items())]
    )
    purged = run("users", "forget", "--simulated", "--yes")
    assert (purged.exit_code, "2 listens" in purged.output) == (0, True), purged.output
    assert [name for name in people if store.has_listens(name)] == ["vera"]
    again = run("users", "forget", "--simulated", "--yes")
    assert (again.exit_code, "There are no simulated listeners." in again.output) == (1, True)
    run("users", "forget", "vera", "--yes")


def test_interrupted_import_goes_on_where_it_was(kafka: Config, settings: Settings, tmp_path: Path) -> None:
    create_topics(settings)
    export, noted = history(tmp_path / "history.csv", 2_500), []
    writer = EventWriter(kafka)
    writer.start()

    def send(lines: Iterator[Line], done: int) -> importing.Imported:
        write = partial(writer.write, settings.listens_topic)
        return importing.send(
            lines, "carl", TrackIndex([]), write, source="lastfm", done=done, note=lambda s: noted.append(s.lines)
        )

    def interrupted() -> Iterator[Line]:
        for line in lastfm(export):
            if line.number == 2_200:
                raise KeyboardInterrupt
            yield line

    with pytest.raises(KeyboardInterrupt):
        send(interrupted(), 0)
    assert noted == [1_000, 2_000]
    assert send(lastfm(export), noted[-1]).listens == 500
    writer.close()
    events = in_kafka(settings, "carl")
    assert len(events) == len({event.event_id for event in events}) == 2_500


def test_unreadable_messages_become_dead_letters_that_can_be_replayed(
    run: Any, kafka: Config, settings: Settings, mongo: Database[dict[str, Any]]
) -> None:
    producer = KafkaProducer(**kafka)
    producer.send(settings.dead_letters_topic, b"of another program").get(timeout=20)
    poison = [b"\xff\xfe no text", json.dumps({"schema_version": 99}).encode()]
    placed = [producer.send(settings.listens_topic, key=b"dora", value=value).get(timeout=20) for value in poison]
    follower = Follower(settings, mongo)
    follower.start()
    names = {f"{settings.listens_topic}/{meta.partition}/{meta.offset}" for meta in placed}

    def letters() -> dict[str, dead_letters.DeadLetter]:
        found = dead_letters.read(kafka_clients.config(settings), settings.dead_letters_topic)
        return {letter.name: letter for letter in found if letter.name in names}

    until = time.monotonic() + 60
    while len(letters()) < 2 and time.monotonic() < until:
        time.sleep(0.2)
    follower.close()
    by_name = letters()
    assert {letter.value for letter in by_name.values()} == set(poison)
    assert {letter.key for letter in by_name.values()} == {b"dora"}
    listed = run("dlq", "list").output
    assert "schema_version" in listed
    number = str(min(letter.number for letter in by_name.values()))
    assert json.loads(run("dlq", "show", number).output)["key"] == "dora"
    nothing = run("dlq", "replay")
    assert (nothing.exit_code, "0 dead letters replayed" in nothing.output) == (1, True)
    assert "1 dead letters replayed" in run("dlq", "replay", number).output
    assert run("dlq", "show", "123456").exit_code == 1


def test_simulated_listens_say_so(
    run: Any, kafka: Config, settings: Settings, mongo: Database[dict[str, Any]]
) -> None:
    tracks = [
        {
            "_id": f"s{i}",
            "title": f"T{i}",
            "artist": "A",
            "genre": "reel",
            "features": pack(np.full(N_FEATURES, i))[0],
        }
        for i in range(30)
    ]
    mongo["tracks"].insert_many(tracks)
    try:
        done = run("simulate", "--rate", "50", "--duration", "2", "--listeners", "5")
    finally:
        mongo["tracks"].delete_many({"_id": {"$in": [track["_id"] for track in tracks]}})
    assert "100 simulated listens of 5 listeners" in done.output
    messages = whole_topics.messages(kafka, settings.listens_topic)
    events = [Listen.model_validate_json(m.value) for m in messages if (m.key or b"").startswith(b"sim-")]
    assert len(events) == 100
    assert {event.source for event in events} == {"simulated"}
    assert {event.matched_by for event in events} == {"id"}
