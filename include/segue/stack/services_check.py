"""Try the connections to Kafka, MongoDB and MLflow, as `segue doctor` does."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from segue.connections import durability, kafka, mongo, probes
from segue.connections.registry import Registry
from segue.errors import SegueError
from segue.listens import losses
from segue.listens.losses import Loss
from segue.settings import Settings
from segue.stack.finding import Finding
from segue.stack.pidfile import PidFile
from segue.stack.service import pid_file

TIMEOUT_MS = 5_000


def examine(settings: Settings) -> Iterator[Finding]:
    """Try each service once. Name what keeps Segue out of it, and what the stores have lost.

    A service of the embedded stack is tried only while it runs.

    Parameters
    ----------
    settings : Settings

    Yields
    ------
    Finding
    """
    if settings.kafka_bootstrap_servers or _runs(settings, "kafka"):
        yield from _kafka(settings)
    if settings.mongo_uri or _runs(settings, "mongo"):
        lost: list[Loss] = []
        yield from try_mongodb(settings, lambda database: lost.extend(losses.find(database, settings)))
        yield from (Finding(loss.sentence) for loss in lost)
    if settings.mlflow_tracking_uri:
        yield from _tried(lambda: Registry(settings))
    yield from map(Finding, filter(None, (_is_open(settings),)))


def _kafka(settings: Settings) -> Iterator[Finding]:
    warnings: list[Finding] = []

    def look() -> None:
        config = kafka.config(settings) | {"bootstrap_timeout_ms": TIMEOUT_MS}
        with kafka.admin(config) as admin:
            if weak := durability.replication_warning(admin, settings):
                warnings.append(Finding(weak, partial(durability.replicate, settings)))
            if short := durability.retention_warning(admin):
                warnings.append(Finding(short))
        probes.check_kafka(settings, config, TIMEOUT_MS / 1000)

    yield from _tried(look)
    yield from warnings


def try_mongodb(settings: Settings, look: Callable[[Database[Any]], object] = lambda _: None) -> Iterator[Finding]:
    """Write and read a document in MongoDB, and then let `look` use the database.

    Yields
    ------
    Finding
        What keeps Segue out, if anything does.
    """

    def probe() -> None:
        with mongo.client(settings.mongo, selection_timeout_ms=TIMEOUT_MS, socket_timeout_ms=TIMEOUT_MS) as client:
            try:
                database = client[settings.mongo_database]
                probes.check_mongodb(database)
                look(database)
            except PyMongoError as error:
                servers = client.topology_description.server_descriptions()
                hosts = ", ".join(f"{host}:{port}" for host, port in servers)
                raise mongo.fault(error, hosts) or error from error

    yield from _tried(probe)


def _tried(check: Callable[[], object]) -> Iterator[Finding]:
    try:
        check()
    except SegueError as error:
        yield Finding(str(error))
    except PyMongoError as error:
        yield Finding(f"MongoDB refuses to write and read a document: {error}. Correct SEGUE_MONGO_URI.")


def _runs(settings: Settings, name: str) -> bool:
    record = PidFile.read(pid_file(settings.state_dir, name))
    return record is not None and record.process() is not None


def _is_open(settings: Settings) -> str | None:
    """Return a sentence if other users of this machine can read the key of Segue's certificate."""
    key = settings.kafka_ssl_keyfile or settings.kafka_ssl_certfile
    try:
        if key is None or not key.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            return None
    except OSError:
        return None  # the check of Kafka reports it
    return f"Others can read the private key {key}. Take this right from them with `chmod 600 {key}`."
