"""Apache Kafka: one KRaft node that is broker and controller.

Clients log in as one user by SCRAM, which proves that they know the password without sending it. The broker keeps
this user in its metadata, so :func:`start` creates it when the broker answers for the first time. The broker logs
in to itself, as broker and as controller, with a password of its own. The file ``server.properties`` has that
password, because a broker needs it before it can read its metadata.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from kafka.admin import UserScramCredentialUpsertion

from segue import private
from segue.connections import kafka, kafka_options, probes
from segue.errors import ServiceUnavailableError, StackError
from segue.secrets import USER
from segue.settings import Settings
from segue.stack import jars, memory, prerequisites, secrets
from segue.stack.service import Service

JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:MaxMetaspaceSize=128m")
# Longer than any pause of an overloaded laptop. After a kill, the restarted broker waits this long.
SESSION_TIMEOUT_MS = 4000
BROKER = "broker"
"""User name of the broker itself."""

# `%rEx{1}` prints the root cause of an error in one line, such as "No space left on device", without its stack.
LOG4J2 = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %m (%c{1})%n%rEx{1}
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


def service(settings: Settings) -> Service:
    """Return the description of the broker.

    Returns
    -------
    Service
        Named ``kafka``.
    """
    folder = settings.state_dir / "kafka"
    return Service(
        name="kafka",
        state_dir=settings.state_dir,
        data=folder,
        command=(*_java(settings, folder), "kafka.Kafka", str(folder / "server.properties")),
        check=lambda _: _is_ready(settings),
        ports={
            "SEGUE_KAFKA_PORT": settings.kafka_port,
            "SEGUE_KAFKA_CONTROLLER_PORT": settings.kafka_controller_port,
        },
        loads=_text(settings, folder) + LOG4J2,
        memory_limit_mb=memory.limit_mb(settings, "kafka"),
        prepare=lambda: prepare(settings),
    )


def start(settings: Settings, bring_up: Callable[[Service], None]) -> None:
    """Start the broker."""
    bring_up(service(settings))


def prepare(settings: Settings) -> None:
    """Write the broker's configuration. If there is no log folder, such as before the first start, format one.

    Raises
    ------
    StackError
        If formatting fails. The message has the tool's output.
    """
    folder = settings.state_dir / "kafka"
    write(settings)
    if (folder / "data" / "meta.properties").exists():
        return
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = [*_java(settings, folder), "kafka.tools.StorageTool", "format", "--ignore-formatted"]
    # The id and its option are one argument, because one in 64 ids begins with a dash.
    command += [f"--cluster-id={cluster_id}", "-c", str(folder / "server.properties")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise StackError(f"Kafka cannot prepare {folder / 'data'}: {(answer.stderr or answer.stdout).strip()}")


def write(settings: Settings) -> None:
    """Write the broker's configuration, which has the broker's password."""
    folder = settings.state_dir / "kafka"
    private.write(folder / "log4j2.properties", LOG4J2)
    private.write(folder / "server.properties", _text(settings, folder))


def _java(settings: Settings, folder: Path) -> tuple[str, ...]:
    classpath = ":".join(str(path) for path in jars.paths(settings, "kafka"))
    log4j2 = f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"
    return (prerequisites.java(), *JVM, log4j2, "-cp", classpath)


def _text(settings: Settings, folder: Path) -> str:
    """Return the text of the file ``server.properties``. It has the broker's password."""
    lines = "".join(
        f"{key}={value}\n" for key, value in (_properties(settings, folder) | _login(settings)).items()
    )
    # Java reads properties as Latin-1, with \\u escapes for other characters.
    return re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], lines)


def _properties(settings: Settings, folder: Path) -> dict[str, object]:
    """Return the broker's properties (see https://kafka.apache.org/documentation/#brokerconfigs)."""
    one_replica = {
        f"{topic}.{what}": 1
        for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        for what in ("replication.factor", "num.partitions")
    }
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{settings.kafka_controller_port}",
        "listeners": f"CLIENTS://127.0.0.1:{settings.kafka_port},"
        f"CONTROLLER://127.0.0.1:{settings.kafka_controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENTS",
        "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "log.dirs": folder / "data",
        "broker.session.timeout.ms": SESSION_TIMEOUT_MS,
        "broker.heartbeat.interval.ms": SESSION_TIMEOUT_MS // 5,
        "auto.create.topics.enable": "false",
        # Models learn from the whole history. Committed offsets must outlast a long pause between trainings.
        "log.retention.ms": -1,
        "offsets.retention.minutes": 10 * 365 * 24 * 60,
        # By default, an idle controller writes a record twice a second: 12 MB a day.
        "metadata.max.idle.interval.ms": 60_000,
        **one_replica,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        # Small values, because there are few clients and the heap is small.
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }


def _login(settings: Settings) -> dict[str, object]:
    """Return the properties by which clients, and the broker itself, must log in."""
    password = secrets.load(settings).kafka_broker_password
    itself = f'{kafka_options.LOGIN_MODULES["PLAIN"]} required username="{BROKER}" password="{password}"'
    of_broker = f'{itself} user_{BROKER}="{password}";'
    clients = "listener.name.clients"
    return {
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        f"{clients}.sasl.enabled.mechanisms": f"{kafka_options.EMBEDDED_MECHANISM},PLAIN",
        f"{clients}.{kafka_options.EMBEDDED_MECHANISM.lower()}.sasl.jaas.config": (
            f"{kafka_options.LOGIN_MODULES[kafka_options.EMBEDDED_MECHANISM]} required;"
        ),
        f"{clients}.plain.sasl.jaas.config": of_broker,
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": of_broker,
    }


def _is_ready(settings: Settings) -> bool:
    """Write a message and read it back. If the broker does not know the user yet, create it first."""
    embedded = settings.model_copy(update={"kafka_bootstrap_servers": None})
    broker = {**kafka.config(embedded), "request_timeout_ms": 3000}
    try:
        # Without this, the client would log the refusal while the broker starts.
        socket.create_connection(("127.0.0.1", settings.kafka_port), timeout=0.5).close()
        if not _knows_user(settings):
            _create_user(settings, broker)
            return False  # the broker learns of the user a moment later
        probes.check_kafka(settings, broker, timeout_s=10)
    except (OSError, ServiceUnavailableError):
        return False
    return True


def _create_user(settings: Settings, config: kafka.Config) -> None:
    """Create the user of the clients, or give it another password."""
    password = secrets.load(settings).kafka_password
    user = UserScramCredentialUpsertion(USER, kafka_options.EMBEDDED_MECHANISM, password)
    login = {
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": BROKER,
        "sasl_plain_password": secrets.load(settings).kafka_broker_password,
    }
    with kafka.admin({**config, **login}) as admin:
        if refusal := admin.alter_user_scram_credentials([user])[USER]:
            raise ServiceUnavailableError(f"Kafka cannot create the user {USER}: {refusal}")
    private.write(_record(settings), secrets.digest(settings))


def _knows_user(settings: Settings) -> bool:
    return _record(settings).exists() and _record(settings).read_text() == secrets.digest(settings)


def _record(settings: Settings) -> Path:
    """Return the file with a digest of the password with which the broker knows the user."""
    return settings.state_dir / "kafka" / "data" / "segue-user"
