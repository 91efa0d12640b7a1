"""No client of a service that is away leaves threads or handles behind, however often it is tried."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from tests.support.leaks import grown, held

from segue.api import pipeline_metrics, retraining_metrics
from segue.connections import kafka, mongo, offsets, probes
from segue.connections.registry import Registry
from segue.connections.topics import create_topics
from segue.errors import ModelError, ServiceUnavailableError
from segue.listens import follower, writer
from segue.listens.writer import EventWriter, NotWritten
from segue.recommender.serving import live
from segue.recommender.serving.champion import Champion
from segue.settings import Settings
from segue.stack import airflow, listens_api
from segue.stack import kafka as broker

FAILURES = 100
UNAVAILABLE = (ServiceUnavailableError, KafkaError, PyMongoError, ModelError)

Attempt = Callable[[], object]


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Settings]:
    """Settings whose services are all away, with a short patience."""
    caplog.set_level(logging.CRITICAL)  # records that pytest keeps would keep their connections
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for module in (kafka, follower, live, writer):
        monkeypatch.setattr(module, "BOOTSTRAP_TIMEOUT_MS", 20)
    for metrics in (pipeline_metrics, retraining_metrics):
        monkeypatch.setattr(metrics, "TIMEOUT_MS", 20)
    monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.02)
    monkeypatch.setattr(follower, "prepare", lambda _: None)  # else it would wait for MongoDB
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        made = Settings(
            home=tmp_path,
            kafka_port=port,
            mongo_uri=f"mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=20",
            mlflow_tracking_uri=f"http://127.0.0.1:{port}",
        )
        yield made.model_copy(update={"airflow_port": port})


def asks(settings: Settings) -> None:
    with mongo.database(settings.mongo) as database:
        database.command("ping")


def damaged(settings: Settings) -> Settings:
    """Settings whose registry is a file that is no database."""
    path = settings.home / "damaged.db"
    path.write_bytes(b"not a database" * 100)
    return settings.model_copy(update={"mlflow_tracking_uri": f"sqlite:///{path}"})


def writes(settings: Settings) -> Attempt:
    events = EventWriter(kafka.config(settings))
    events.start()

    def attempt() -> None:
        with pytest.raises(NotWritten):
            asyncio.run(events.write("listens", [(b"k", b"v")]))

    return attempt


def looks(settings: Settings) -> Attempt:
    champion = Champion(settings)
    return lambda: champion.look(Registry(settings))


def measures(settings: Settings, metrics: Any = retraining_metrics) -> Attempt:
    client = mongo.client(settings.mongo)
    return lambda: metrics.measure(settings, client["segue"])


def follows(settings: Settings) -> Attempt:
    return follower.Follower(settings, MongoClient(connect=False)["segue"])._follow


def recommends(settings: Settings) -> Attempt:
    return live.Live(settings, Champion(settings))._follow


CLIENTS: dict[str, Callable[[Settings], Attempt]] = {
    "backlog": lambda s: lambda: offsets.backlog(kafka.config(s), "listens", "group"),
    "topics": lambda s: lambda: create_topics(s, timeout_ms=20),
    "event writer": writes,
    "follower": follows,
    "live": recommends,
    "metrics": measures,
    "metrics of jobs": lambda s: measures(s, pipeline_metrics),
    "database": lambda s: lambda: asks(s),
    "registry": lambda s: lambda: Registry(s),
    "damaged registry": lambda s: lambda: Registry(damaged(s)),
    "champion": looks,
    "health of Kafka": lambda s: lambda: broker._is_ready(s),
    "probe of Kafka": lambda s: lambda: probes.check_kafka(s, kafka.config(s), timeout_s=0.1),
    "health of the API": lambda s: lambda: listens_api._is_ready(s.kafka_port),
    "health of Airflow": lambda s: lambda: airflow._check(s, airflow.API_SERVER)(datetime.now(UTC)),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_fails_leaves_nothing_behind(client: str, away: Settings) -> None:
    attempt = CLIENTS[client](away)

    def fail() -> None:
        with suppress(*UNAVAILABLE):
            assert not attempt(), "the service is not away"

    fail()
    before = held()
    for _ in range(FAILURES):
        fail()
    assert grown(before) < FAILURES / 5, "others in this process may come and go; a leak would be 100 and more"
