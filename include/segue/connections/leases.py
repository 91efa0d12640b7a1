"""Leases: what must not run twice at a time, on whatever machines, holds one in MongoDB while it runs.

A lease ends when its holder gives it back, when the holder's process has died on this machine, or when it was not
renewed for `LASTS_S`. A process that is suspended for longer than that may go on beside the next holder, and is
told so at its end.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from segue.connections import mongo
from segue.errors import ServiceUnavailableError
from segue.settings import Settings

COLLECTION = "leases"
LASTS_S = 60.0
RENEWED_S = 15.0
POLL_S = 1.0

Document = dict[str, Any]


@contextmanager
def held(database: Database[Document], name: str, job: str) -> Iterator[None]:
    """Hold a lease while the block runs.

    Parameters
    ----------
    database : pymongo.database.Database
    name : str
        Name of the thing that one job at a time may change.
    job : str
        Who holds it, for the message that another job gets.

    Raises
    ------
    ServiceUnavailableError
        If another job holds it and renews it. A retry may help. Also at the end of the block, if another job has
        taken the lease meanwhile, because this process was suspended for too long.
    """
    process = psutil.Process()
    me = {"host": socket.gethostname(), "pid": process.pid, "born": process.create_time()}
    _take(database, name, me | {"job": job, "since": datetime.now(UTC)})
    lost, done = threading.Event(), threading.Event()

    def renew() -> None:
        while not done.wait(RENEWED_S):
            try:
                answer = database[COLLECTION].update_one({"_id": name, **me}, {"$set": {"until": _end()}})
            except PyMongoError:
                continue  # the server is away; it is asked again before the lease ends
            if not answer.matched_count:
                lost.set()
                return

    thread = threading.Thread(target=renew, name=f"lease of {name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        with suppress(PyMongoError):  # the server is away; the lease ends by itself
            database[COLLECTION].delete_one({"_id": name, **me})
    if lost.is_set():
        raise ServiceUnavailableError(
            f"{job} was suspended for more than {LASTS_S:.0f} s, and another job has changed {name} meanwhile."
        )


@contextmanager
def of_lake(settings: Settings, tables: str, job: str) -> Iterator[None]:
    """Hold the lease of tables of the lake, if it is in an object store.

    There, Delta's log is safe with one driver at a time only, because a driver looks whether a commit exists and
    then writes it. On a disk, a commit is created atomically, and Delta itself sees conflicts.

    Parameters
    ----------
    settings : Settings
    tables : str
        What the job writes: ``corpus`` or ``listens``.
    job : str
        Name of the job.

    Raises
    ------
    ServiceUnavailableError
        As `held`.
    """
    if "://" not in settings.lake_uri:
        yield
        return
    with mongo.database() as database, held(database, f"{tables} in {settings.lake_uri}", job):
        yield


def _take(database: Database[Document], name: str, holder: Document) -> None:
    """Take a lease that nobody holds. Wait for the end of one whose holder may have died, and say so."""
    until, is_told = time.monotonic() + LASTS_S + RENEWED_S, False
    while True:
        free = {"_id": name, "until": {"$lt": datetime.now(UTC)}}
        try:
            database[COLLECTION].replace_one(free, holder | {"until": _end()}, upsert=True)
        except DuplicateKeyError:
            found = database[COLLECTION].find_one({"_id": name})
        else:
            return
        if found and _has_died(found):
            database[COLLECTION].delete_one({key: found[key] for key in ("_id", "host", "pid", "born")})
        elif found and time.monotonic() > until:
            raise ServiceUnavailableError(
                f"{holder['job']} cannot change {name} now: {found['job']} does so on {found['host']} (process "
                f"{found['pid']}) since {found['since']:%H:%M:%S} UTC. Wait until it has ended."
            )
        else:
            if found and not is_told:
                is_told = True
                print(
                    f"Waiting at most {LASTS_S + RENEWED_S:.0f} s for {found['job']} on {found['host']} (process "
                    f"{found['pid']}), which changes {name} since {found['since']:%H:%M:%S} UTC.",
                    flush=True,
                )
            time.sleep(POLL_S)


def _has_died(holder: Document) -> bool:
    """Return whether the holder was a process of this machine that does not exist any more."""
    if holder["host"] != socket.gethostname():
        return False
    try:
        return bool(psutil.Process(holder["pid"]).create_time() != holder["born"])
    except psutil.NoSuchProcess:
        return True


def _end() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=LASTS_S)
