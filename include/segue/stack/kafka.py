"""Apache Kafka: one KRaft node that is broker and controller."""

from __future__ import annotations

import base64
import socket
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from segue.connections import probes
from segue.errors import ServiceUnavailableError, StackError
from segue.settings import Settings
from segue.stack import jars, memory, prerequisites
from segue.stack.service import Service

JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:MaxMetaspaceSize=128m")
# Longer than any pause of an overloaded laptop. After a kill, the restarted broker waits this long.
SESSION_TIMEOUT_MS = 4000

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
    )


def start(settings: Settings, bring_up: Callable[[Service], None]) -> None:
    """Start the broker."""
    prepare(settings)
    bring_up(service(settings))


def prepare(settings: Settings) -> None:
    """Write the broker's configuration. Before the first start, format its log folder.

    Raises
    ------
    StackError
        If formatting fails. The message has the tool's output.
    """
    folder = settings.state_dir / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log4j2.properties").write_text(LOG4J2)
    # Java reads properties as Latin-1, with \\u escapes for all other characters.
    (folder / "server.properties").write_text(_text(settings, folder), "latin-1", "backslashreplace")
    if (folder / "data" / "meta.properties").exists():
        return
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = [*_java(settings, folder), "kafka.tools.StorageTool", "format", "--ignore-formatted"]
    # The id and its option are one argument, because one in 64 ids begins with a dash.
    command += [f"--cluster-id={cluster_id}", "-c", str(folder / "server.properties")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise StackError(f"Kafka cannot prepare {folder / 'data'}: {(answer.stderr or answer.stdout).strip()}")


def _java(settings: Settings, folder: Path) -> tuple[str, ...]:
    classpath = ":".join(str(path) for path in jars.paths(settings, "kafka"))
    log4j2 = f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"
    return (prerequisites.java(), *JVM, log4j2, "-cp", classpath)


def _text(settings: Settings, folder: Path) -> str:
    """Return the text of the file ``server.properties``."""
    return "".join(f"{key}={value}\n" for key, value in _properties(settings, folder).items())


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
        "listeners": f"PLAINTEXT://127.0.0.1:{settings.kafka_port},"
        f"CONTROLLER://127.0.0.1:{settings.kafka_controller_port}",
        "controller.listener.names": "CONTROLLER",
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


def _is_ready(settings: Settings) -> bool:
    """Write a message and read it back."""
    broker = {"bootstrap_servers": f"127.0.0.1:{settings.kafka_port}", "request_timeout_ms": 3000}
    try:
        # Without this, the client would log the refusal while the broker starts.
        socket.create_connection(("127.0.0.1", settings.kafka_port), timeout=0.5).close()
        probes.check_kafka(settings, broker, timeout_s=10)
    except (OSError, ServiceUnavailableError):
        return False
    return True
