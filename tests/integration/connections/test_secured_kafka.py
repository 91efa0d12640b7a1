"""A real broker that lets nobody in without a password (SASL_PLAINTEXT, SCRAM-SHA-256)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from segue.connections import kafka as kafka_clients
from segue.connections import offsets
from segue.connections.kafka import Config
from segue.connections.topics import create_topics
from segue.errors import ServiceUnavailableError
from segue.listens import ingestion
from segue.listens.events import listen
from segue.listens.writer import EventWriter
from segue.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def secured(settings: Settings, kafka: Config) -> Settings:
    """The settings by which a user would reach the tests' broker as a broker of their own."""
    return Settings(
        kafka_bootstrap_servers=settings.kafka_bootstrap,
        kafka_security_protocol=kafka["security_protocol"],
        kafka_sasl_mechanism=kafka["sasl_mechanism"],
        kafka_sasl_username=kafka["sasl_plain_username"],
        kafka_sasl_password=kafka["sasl_plain_password"],
        listens_topic="secured-listens",
    )


def write(settings: Settings, count: int) -> None:
    async def send() -> None:
        events = [listen("someone", f"t{i}", 1_700_000_000 + i) for i in range(count)]
        await writer.write(settings.listens_topic, [(b"someone", e.model_dump_json().encode()) for e in events])

    writer = EventWriter(kafka_clients.config(settings))
    writer.start()
    try:
        asyncio.run(send())
    finally:
        writer.close()


def test_every_client_gets_in_with_the_password_of_the_settings(secured: Settings, spark: Any) -> None:
    create_topics(secured)
    write(secured, 3)
    window = offsets.backlog(kafka_clients.config(secured), secured.listens_topic, "a group")
    assert window.size == 3
    config = kafka_clients.config(secured)
    consumer = kafka_clients.consumer(config, group_id="a group", auto_offset_reset="earliest")
    try:
        consumer.subscribe([secured.listens_topic])
        seen = 0
        while seen < 3:
            seen += sum(map(len, consumer.poll(timeout_ms=1_000).values()))
    finally:
        consumer.close()
    offsets.commit(kafka_clients.config(secured), "a group", window)
    assert offsets.backlog(kafka_clients.config(secured), secured.listens_topic, "a group").size == 0
    assert ingestion.read(spark, secured, window).count() == 3


@pytest.mark.parametrize(
    "change",
    [{"kafka_sasl_password": "wrong"}, {"kafka_security_protocol": "PLAINTEXT"}],
    ids=["a wrong password", "no password"],
)
def test_whoever_may_not_in_is_told_so_in_one_sentence(secured: Settings, change: dict[str, str]) -> None:
    stranger = Settings(**{**secured.model_dump(), **change})
    config = kafka_clients.config(stranger) | {"bootstrap_timeout_ms": 3_000}
    # Which one is told depends on whether the client reads the broker's answer before the connection ends.
    either = r"Kafka (broker|at .* refuses the login)"
    with pytest.raises(ServiceUnavailableError, match=either) as told, kafka_clients.admin(config):
        pass
    assert "wrong" not in str(told.value)
