"""The drill: a backup is made under load, everything is lost, and the backup is restored elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from kafka import KafkaProducer
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.api_server import eventually

from segue.backup import documents, restoring
from segue.backup.making import make
from segue.connections import kafka as kafka_clients
from segue.connections import offsets
from segue.connections.kafka import config as kafka_config
from segue.connections.registry import Registry
from segue.connections.topics import create_topics
from segue.errors import BackupError
from segue.listens import losses
from segue.listens.events import listen, message
from segue.listens.follower import GROUP, Follower
from segue.listens.rebuilding import in_kafka, in_mongodb
from segue.settings import Settings
from segue.stack import lifecycle, ports
from segue.stack.secrets import load
from segue.tracks.vectors import pack

pytestmark = pytest.mark.integration

NOON = 1_772_712_000


@pytest.fixture
def before(tmp_path: Path, settings: Settings) -> Iterator[Settings]:
    made = Settings(home=tmp_path / "before", jars=settings.jars_dir, **ports.for_a_stack())
    lifecycle.up(made, ["kafka", "mongo"])
    yield made
    lifecycle.down(made)


@pytest.fixture
def after(tmp_path: Path, before: Settings) -> Iterator[Settings]:
    made = before.model_copy(update={"home": tmp_path / "after", "corpus": "restored"})
    yield made
    lifecycle.down(made)


class Load(threading.Thread):
    """Sends listens until it is told to stop, and notes which were acknowledged."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self.acknowledged: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        with KafkaProducer(**kafka_config(self._settings), acks="all") as producer:
            while not self.stopping.wait(0.01):
                event = listen("anna", f"t{len(self.acknowledged)}", NOON + len(self.acknowledged))
                key, value = message(event)
                producer.send(self._settings.listens_topic, value, key).get(timeout=30)
                self.acknowledged.append(event.event_id)


def seed(settings: Settings, database: Database[dict[str, Any]]) -> None:
    """Fill every store with a little."""
    vector = pack(np.arange(518, dtype=np.float32))[0]
    tracks = [{"_id": f"t{i}", "title": f"Jóga {i}", "features": vector, "year": 1997} for i in range(1_200)]
    database["tracks"].insert_many(tracks, bypass_document_validation=True)
    database["recommendations"].insert_one({"_id": "anna", "model_version": "1", "items": ["t1", "t7"]})
    for number in range(2):
        rows = pa.table({"track_id": [f"t{i}" for i in range(number, 5)]})
        write_deltalake(f"{settings.lake_uri}/tracks", rows, mode="overwrite")
    registry = Registry(settings)
    for text in ("old", "new"):
        made = registry.register(
            "toy",
            lambda folder, text=text: (folder.mkdir(), (folder / "weights").write_text(text)),
            parameters={},
            metrics={"f1": 0.5},
            tags={},
            report={},
        )
        registry.promote(made)
    load(settings)


def content(database: Database[dict[str, Any]], *names: str) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(database[name].find(), key=lambda each: str(each["_id"])) for name in names}


def test_what_was_acknowledged_before_a_backup_under_load_survives_the_loss_of_everything(
    before: Settings, after: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backup"
    create_topics(before)
    with MongoClient[dict[str, Any]](before.mongo, tz_aware=True) as client:
        database = client[before.mongo_database]
        seed(before, database)
        follower, work = Follower(before, database), Load(before)
        follower.start()
        work.start()
        eventually(lambda: len(work.acknowledged) > 50)
        acknowledged = set(work.acknowledged)
        try:
            made = make(before, database, folder)
            assert work.is_alive()
        finally:
            work.stopping.set()
            work.join()
            follower.close()
        wanted = content(database, "tracks", "recommendations")
    assert made.documents["tracks"] == 1_200
    assert made.tables == {"tracks": 1}
    assert oct((folder / "airflow" / "secrets.json").stat().st_mode)[-2:] == "00"
    champion, secrets = Registry(before).champion("toy"), load(before)
    lifecycle.clean(before)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(documents, "load", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            restoring.restore(after, folder)
    with pytest.raises(BackupError, match=f"segue restore {folder}"):
        restoring.require_whole(after)
    restoring.restore(after, folder)
    restoring.require_whole(after)

    with MongoClient[dict[str, Any]](after.mongo, tz_aware=True) as client:
        database = client[after.mongo_database]
        assert content(database, "tracks", "recommendations") == wanted
        stored = {event.event_id for event in in_mongodb(database)}
        assert acknowledged <= stored
        assert {event.event_id for event in in_kafka(after)} == stored
        assert losses.Followed(database, after.listens_topic).lost() == {"kafka": 0, "mongodb": 0}
    config = kafka_clients.config(after)
    for group in (GROUP, after.live_group, after.retraining_group):
        assert offsets.backlog(config, after.listens_topic, group).size == 0
    assert DeltaTable(f"{after.lake_uri}/tracks").to_pyarrow_table()["track_id"].to_pylist() == [
        "t1",
        "t2",
        "t3",
        "t4",
    ]

    assert champion is not None
    restored = Registry(after).champion("toy")
    assert restored is not None
    assert (restored.number, (restored.folder() / "weights").read_text()) == (champion.number, "new")
    assert restored.folder().is_relative_to(after.home)
    Registry(after).prune("toy", keep=1)
    assert load(after) == secrets

    with pytest.raises(BackupError, match="has a state"):
        restoring.restore(after, folder)
