"""Accounts and removals survive the loss of MongoDB, and a forgotten user stays forgotten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from pymongo import MongoClient
from pymongo.database import Database
from typer.testing import CliRunner

from segue.api import forgetting
from segue.api.accounts import Accounts
from segue.api.mirror import Mirror
from segue.cli import app
from segue.connections.kafka import Config
from segue.connections.kafka import config as kafka_config
from segue.connections.topics import create_topics
from segue.listens import losses, rebuilding
from segue.listens.events import Listen, listen
from segue.listens.feedback import Feedback, FeedbackStore
from segue.listens.losses import Followed
from segue.listens.removals import Removals, event_key, user_key
from segue.listens.store import ListenStore
from segue.settings import Settings

pytestmark = pytest.mark.integration

AT = 1_700_000_000


@pytest.fixture
def own(
    settings: Settings,
    kafka: Config,
    mongo: Database[dict[str, Any]],
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """Settings with topics and a database of the test's own, for commands, too."""
    assert kafka
    assert mongo is not None
    name = f"mirror-{time.monotonic_ns()}"
    topics = {each: f"{name}.{each}" for each in ("accounts_topic", "listens_topic", "feedback_topic")}
    made = settings.model_copy(update={"mongo_database": name, "lake": str(tmp_path), **topics})
    for module in ("segue.commands.rebuild", "segue.connections.mongo"):
        monkeypatch.setattr(f"{module}.get_settings", lambda: made)
    for constant in ("CACHED_S", "UNDER_WAY_S"):
        monkeypatch.setattr(forgetting, constant, 0)
    return made


@pytest.fixture
def database(own: Settings) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](own.mongo, tz_aware=True) as client:
        yield client[own.mongo_database]


def command(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["rebuild", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def said(database: Database[dict[str, Any]], own: Settings) -> str:
    return " ".join(loss.sentence for loss in losses.find(database, own))


def test_accounts_come_back_after_the_loss_of_the_database(
    own: Settings, database: Database[dict[str, Any]]
) -> None:
    accounts, mirror = Accounts(database), Mirror(own, database)
    token, revoked = accounts.add("anna"), accounts.add("bob")
    accounts.set_public("anna", True)
    accounts.revoke("bob")
    mirror.sync()
    mirror.sync()
    assert said(database, own) == ""
    before = accounts.all()

    database.client.drop_database(database.name)
    Mirror(own, database).sync()
    assert "MongoDB lacks 2 accounts, or has older ones. `segue rebuild accounts`" in said(database, own)
    assert "Restored 2 accounts." in command("accounts")
    assert accounts.all() == before
    assert (accounts.of_token(token), accounts.of_token(revoked)) == ("anna", None)
    assert said(database, own) == ""
    assert "Restored 0 accounts." in command("accounts")


def test_a_restored_backup_brings_back_neither_tokens_nor_forgotten_users(
    own: Settings, database: Database[dict[str, Any]]
) -> None:
    accounts, removals, listens = Accounts(database), Removals(database), ListenStore(database)
    old, gone = accounts.add("anna"), accounts.add("bob")
    events = [
        Listen(**listen(user, "t1", AT).model_dump() | {"received_at": time.time()}) for user in ("anna", "bob")
    ]
    deleted = listen("anna", "t2", AT)
    listens.put([*events, deleted])
    FeedbackStore(database).put(Feedback(user_name="bob", recording_msid="m", score=1))
    Mirror(own, database).sync()
    backup = {name: list(database[name].find()) for name in database.list_collection_names()}

    new = accounts.rotate("anna")
    removals.add(event_key(deleted.event_id))
    forgetting.forget_in_database(database, "bob")
    Mirror(own, database).sync()
    assert set(Mirror(own, database).read().accounts) == {"anna"}

    database.client.drop_database(database.name)
    for name, documents in backup.items():
        database[name].insert_many(documents)
    Mirror(own, database).sync()
    assert user_key("bob") in removals.all(), "the removal is back without anybody's help"
    assert "MongoDB lacks 2 accounts, or has older ones." in said(database, own)
    assert "Restored 1 accounts. Deleted what was removed before: 1 accounts, 2 listens, " in command("accounts")
    assert [accounts.of_token(each) for each in (old, new, gone)] == [None, "anna", None]
    assert [each.user_name for each in accounts.all()] == ["anna"]
    assert [each.event_id for each in rebuilding.in_mongodb(database)] == [events[0].event_id]
    assert database["feedback"].count_documents({}) == 0
    assert said(database, own) == ""

    accounts.add("bob")  # who may come back
    Mirror(own, database).sync()
    assert set(Mirror(own, database).read().accounts) == {"anna", "bob"}


def test_after_the_clock_was_set_back_neither_tokens_nor_forgotten_users_come_back(
    own: Settings, database: Database[dict[str, Any]]
) -> None:
    accounts = Accounts(database)
    revoked, gone = accounts.add("anna"), accounts.add("bob")
    later = datetime.now(UTC) + timedelta(hours=1)
    database["accounts"].update_many({}, {"$set": {"changed_at": later}})
    Mirror(own, database).sync()
    accounts.revoke("anna")
    forgetting.forget_in_database(database, "bob")
    Mirror(own, database).sync()
    assert said(database, own) == ""
    assert "Restored 0 accounts." in command("accounts")
    assert [accounts.of_token(each) for each in (revoked, gone)] == [None, None]
    assert set(Mirror(own, database).read().accounts) == {"anna"}


def test_a_mirror_that_was_lost_is_written_again(own: Settings, database: Database[dict[str, Any]]) -> None:
    mirror = Mirror(own, database)
    Accounts(database).add("anna")
    mirror.sync()
    with KafkaAdminClient(**kafka_config(own)) as admin:
        admin.delete_topics([own.accounts_topic])
    mirror.sync()
    assert set(mirror.read().accounts) == {"anna"}


def test_listens_and_topic_are_rebuilt_from_each_other_without_a_lake(
    own: Settings, database: Database[dict[str, Any]]
) -> None:
    assert list(rebuilding.in_kafka(own)) == [], "there is no topic yet"
    create_topics(own)
    loved = Feedback(user_name="anna", recording_msid="m", score=1)
    withdrawn = [Feedback(user_name="anna", recording_msid="w", score=score) for score in (1, 0)]
    events = [listen("anna", f"t{number}", AT + number) for number in range(5)]
    only_here = listen("anna", "t9", AT + 9)
    with KafkaProducer(**kafka_config(own)) as producer:
        for event in events:
            producer.send(own.listens_topic, event.model_dump_json(exclude_none=True).encode(), b"anna")
        producer.send(own.listens_topic, b"no json", b"anna")
        for feedback in (loved, *withdrawn):
            producer.send(own.feedback_topic, feedback.model_dump_json().encode(), b"anna")
    Followed(database, own.listens_topic).count("mongodb", 5)
    Removals(database).add(event_key(events[0].event_id))
    ListenStore(database).put([only_here])

    assert "Stored 4 listens in MongoDB that it lacked, and all 1 entries of feedback." in command("listens")
    assert {each.event_id for each in rebuilding.in_mongodb(database)} == {
        each.event_id for each in (*events[1:], only_here)
    }
    assert FeedbackStore(database).of_user("anna", None, 9, 0)[0] == 1
    assert said(database, own) == ""
    assert "Stored 0 listens" in command("listens")

    assert "Sent 1 listens to Kafka that it lacked." in command("topic")
    assert {each.event_id: each for each in rebuilding.in_kafka(own)}[only_here.event_id] == only_here
    assert "Sent 0 listens" in command("topic")
