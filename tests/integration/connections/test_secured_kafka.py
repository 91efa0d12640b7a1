"""A real broker that lets nobody in without a password (SASL_PLAINTEXT, SCRAM-SHA-256)."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from segue.connections import kafka, offsets
from segue.connections.topics import create_topics
from segue.errors import ServiceUnavailableError
from segue.listens import ingestion
from segue.listens.events import listen
from segue.listens.writer import EventWriter
from segue.settings import Settings
from segue.stack import jars
from segue.stack import kafka as broker
from segue.stack.service import Service

pytestmark = pytest.mark.integration
LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
PASSWORD = "a-password"  # noqa: S105 - made up


@pytest.fixture(scope="module")
def secured(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Start a broker like the stack's, but with users; yield the settings that one of them needs."""
    from segue.stack import ports

    jars.fetch(settings)
    port, controller = ports.find_free(2)
    home = tmp_path_factory.mktemp("secured-kafka")
    own = Settings(
        home=home,
        jars=settings.jars_dir,
        kafka_port=port,
        kafka_controller_port=controller,
        kafka_bootstrap_servers=f"127.0.0.1:{port}",
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="SCRAM-SHA-256",
        kafka_sasl_username="segue",
        kafka_sasl_password=PASSWORD,
    )
    service = broker.service(own)
    _prepare(own, service.data)
    service = Service("kafka", own.state_dir, service.data, service.command, lambda _: _answers(own))
    service.start()
    try:
        service.wait(Event())
        yield own
    finally:
        service.stop()


def _prepare(settings: Settings, folder: Path) -> None:
    broker.prepare(settings)
    properties = (
        (folder / "server.properties").read_text("latin-1").replace("listeners=PLAINTEXT", "listeners=SASL")
    )
    properties += f"""
listener.security.protocol.map=SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL
sasl.enabled.mechanisms=SCRAM-SHA-256
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-256
listener.name.sasl.scram-sha-256.sasl.jaas.config={LOGIN[:-1]} username="broker" password="broker";
"""
    (folder / "server.properties").write_text(properties, "latin-1")
    for stale in sorted((folder / "data").rglob("*"), reverse=True):
        stale.unlink() if stale.is_file() else stale.rmdir()
    java = broker.service(settings).command[:-2]
    command = [
        *java,
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        "--cluster-id=MkU3OEVBNTcwNTJENDM2Qk",
    ]
    command += ["-c", str(folder / "server.properties")]
    for user, password in (("broker", "broker"), ("segue", PASSWORD)):
        command += ["--add-scram", f"SCRAM-SHA-256=[name={user},password={password}]"]
    subprocess.run(command, check=True, capture_output=True)


def _answers(settings: Settings) -> bool:
    try:
        with kafka.admin(kafka.config(settings) | {"bootstrap_timeout_ms": 2_000}) as admin:
            return bool(admin.describe_cluster()["brokers"])
    except ServiceUnavailableError:
        return False


def write(settings: Settings, count: int) -> None:
    async def send() -> None:
        events = [listen("someone", f"t{i}", 1_700_000_000 + i) for i in range(count)]
        await writer.write(settings.listens_topic, [(b"someone", e.model_dump_json().encode()) for e in events])

    writer = EventWriter(kafka.config(settings))
    writer.start()
    try:
        asyncio.run(send())
    finally:
        writer.close()


def test_every_client_gets_in_with_the_password_of_the_settings(secured: Settings, spark: Any) -> None:
    create_topics(secured)
    write(secured, 3)
    window = offsets.backlog(kafka.config(secured), secured.listens_topic, "a group")
    assert window.size == 3
    consumer = kafka.consumer(kafka.config(secured), group_id="a group", auto_offset_reset="earliest")
    try:
        consumer.subscribe([secured.listens_topic])
        seen = 0
        while seen < 3:
            seen += sum(map(len, consumer.poll(timeout_ms=1_000).values()))
    finally:
        consumer.close()
    offsets.commit(kafka.config(secured), "a group", window)
    assert offsets.backlog(kafka.config(secured), secured.listens_topic, "a group").size == 0
    assert ingestion.read(spark, secured, window).count() == 3


@pytest.mark.parametrize(
    "change",
    [{"kafka_sasl_password": "wrong"}, {"kafka_security_protocol": "PLAINTEXT"}],
    ids=["a wrong password", "no password"],
)
def test_whoever_may_not_in_is_told_so_in_one_sentence(secured: Settings, change: dict[str, str]) -> None:
    stranger = Settings(**{**secured.model_dump(), **change})
    config = kafka.config(stranger) | {"bootstrap_timeout_ms": 3_000}
    with pytest.raises(ServiceUnavailableError, match="Kafka broker") as told, kafka.admin(config):
        pass
    assert "wrong" not in str(told.value)
