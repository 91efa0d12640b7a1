"""The faults of a campaign that damage files, each with the repair that Segue has for it.

Where a store loses data, the other store must have it. So the clients send nothing meanwhile, and MongoDB has
caught up with Kafka before. Segue must notice the loss by itself, and repair it with the command that it names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from killed import kill
from pymongo.database import Database
from pymongo.errors import PyMongoError
from synthetic import add_tracks

from segue import locks
from segue.api.mirror import Mirror
from segue.connections import kafka, mongo, offsets
from segue.errors import ServiceUnavailableError
from segue.listens import losses
from segue.listens.follower import GROUP
from segue.settings import Settings
from segue.stack import documents, supervisor
from segue.stack import kafka as broker
from segue.stack.service import Service, State, pid_file

PATIENCE_S = 900.0
KEPT = 0.4
"""Share of a segment that is left after its cut."""


def cut_segment(settings: Settings, _: str) -> None:
    """Cut the largest segment of the topic of listens while the broker is dead."""
    with _database(settings) as database:
        wait_until_stored(settings)
        with _dead(settings, broker.service(settings)):
            segment = max(_files(settings, ".log"), key=lambda path: path.stat().st_size)
            os.truncate(segment, int(segment.stat().st_size * KEPT))
        _patiently(lambda: "kafka" in _lost(database, settings), "Nobody noticed the cut segment.")
        _rebuild(settings, "topic")
        _require_nothing_lost(database, settings)


def lose_index(settings: Settings, suffix: str) -> None:
    """Cut all indexes of one kind of the topic of listens. The broker must make them again."""
    with _dead(settings, broker.service(settings)):
        for index in _files(settings, f".{suffix}"):
            os.truncate(index, index.stat().st_size // 2)


def damage_record(settings: Settings, service: str) -> None:
    """Cut the record of a running process. The supervisor must start the service again, and only once."""
    record = pid_file(settings.state_dir, service)
    record.write_text(record.read_text()[:20])


def lose_database(settings: Settings, _: str) -> None:
    """Delete the folder of MongoDB. Accounts and listens must come back from Kafka."""
    with _database(settings) as database:
        wait_until_stored(settings)
        tracks = database["tracks"].count_documents({})
        Mirror(settings, database).sync()
        with _dead(settings, documents.service(settings)):
            shutil.rmtree(settings.state_dir / "mongo" / "data")
        add_tracks(settings, tracks)  # in place of the DAG `corpus`
        _patiently(lambda: "mongodb" in _lost(database, settings), "Nobody noticed the lost database.")
        _rebuild(settings, "accounts")
        _rebuild(settings, "listens")
        _require_nothing_lost(database, settings)


@contextmanager
def _database(settings: Settings) -> Iterator[Database[dict[str, Any]]]:
    with mongo.client(settings.mongo, selection_timeout_ms=3_000, socket_timeout_ms=30_000) as client:
        yield client[settings.mongo_database]


@contextmanager
def _dead(settings: Settings, service: Service) -> Iterator[None]:
    """Kill a service, and keep the supervisor from starting it again before the block ends."""
    with locks.exclusive(settings.home / supervisor.LOCK):
        kill(service)
        yield
    _patiently(lambda: service.state() is State.HEALTHY, f"{service.name} was not started again.")


def _files(settings: Settings, suffix: str) -> list[Path]:
    return list((settings.state_dir / "kafka" / "data").glob(f"{settings.listens_topic}-?/*{suffix}"))


def wait_until_stored(settings: Settings) -> None:
    """Wait until MongoDB has all listens of Kafka."""
    config, topic = kafka.config(settings), settings.listens_topic
    _patiently(lambda: offsets.backlog(config, topic, GROUP).size == 0, "MongoDB did not catch up with Kafka.")


def _lost(database: Database[dict[str, Any]], settings: Settings) -> set[str]:
    return {loss.store for loss in losses.find(database, settings)}


def _require_nothing_lost(database: Database[dict[str, Any]], settings: Settings) -> None:
    _patiently(lambda: not _lost(database, settings), "Something is still missing after the repair.")


def _rebuild(settings: Settings, what: str) -> None:
    command = [str(Path(sys.prefix) / "bin" / "segue"), "rebuild", what]
    done = subprocess.run(
        command, env=os.environ | settings.environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"`segue rebuild {what}` failed:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")


def _patiently(holds: Callable[[], bool], otherwise: str) -> None:
    until, held = time.monotonic() + PATIENCE_S, False
    while not held:
        if time.monotonic() > until:
            raise TimeoutError(f"{otherwise} ({PATIENCE_S:.0f} s)")
        try:
            held = holds()
        except (ServiceUnavailableError, PyMongoError):
            held = False  # a service is still starting
        if not held:
            time.sleep(0.5)
