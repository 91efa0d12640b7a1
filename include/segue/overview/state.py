"""The parts of the overview, read at the same time. A part that cannot be read is replaced by the reason."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from kafka.errors import KafkaError
from pymongo.database import Database
from pymongo.errors import PyMongoError

from segue.errors import SegueError
from segue.overview import corpus, listens, models, storage
from segue.overview.corpus import Corpus
from segue.overview.listens import Listens
from segue.overview.models import Models
from segue.overview.storage import Storage
from segue.settings import Settings

MAX_AGE_S = 10.0
STORAGE_MAX_AGE_S = 120.0
"""How old what is shown may be. Folders are measured more rarely, because that takes a second in a large state."""

Part = TypeVar("Part")
Databases = Callable[[], AbstractContextManager[Database[Any]]]


@dataclass(frozen=True)
class Problem:
    """Why a part cannot be shown.

    Parameters
    ----------
    sentence : str
    """

    sentence: str


@dataclass(frozen=True)
class State:
    """Everything that the overview shows, but the DAGs.

    Attributes
    ----------
    corpus, models, listens, storage
        The part, or the reason why it cannot be read.
    at : datetime
    """

    corpus: Corpus | Problem
    models: Models | Problem
    listens: Listens | Problem
    storage: Storage | Problem
    at: datetime

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each part that cannot be read, and the reason."""
        for name in ("corpus", "models", "listens", "storage"):
            if isinstance(part := getattr(self, name), Problem):
                yield name, part.sentence


class Cached:
    """Reads the state, at most every `MAX_AGE_S` seconds, however many users look at it.

    Parameters
    ----------
    settings : Settings
    databases : callable
        Opens the database for the time of a ``with``.
    """

    def __init__(self, settings: Settings, databases: Databases) -> None:
        self._settings = settings
        self._databases = databases
        self._lock = threading.Lock()
        self._read: dict[str, tuple[float, Any]] = {}

    def get(self) -> State:
        """Return the state; read what has become too old."""
        settings, now = self._settings, datetime.now(UTC)
        readers: Mapping[str, Callable[[], Any]] = {
            "corpus": lambda: self._with(lambda database: corpus.read(settings.lake_uri, database)),
            "models": lambda: self._with(lambda database: models.read(settings, database)),
            "listens": lambda: self._with(lambda database: listens.read(settings, database, now)),
            "storage": lambda: storage.read(settings),
        }
        with self._lock:
            old = [name for name in readers if self._is_old(name)]
            with ThreadPoolExecutor(len(readers)) as pool:
                for name, part in zip(old, pool.map(lambda name: guarded(readers[name]), old), strict=True):
                    self._read[name] = time.monotonic(), part
            return State(**{name: self._read[name][1] for name in readers}, at=now)

    def _is_old(self, name: str) -> bool:
        most = STORAGE_MAX_AGE_S if name == "storage" else MAX_AGE_S
        return name not in self._read or time.monotonic() - self._read[name][0] > most

    def _with(self, read: Callable[[Database[Any]], Part]) -> Part:
        with self._databases() as database:
            return read(database)


def guarded(read: Callable[[], Part]) -> Part | Problem:
    """Read a part. If a service does not answer or a report is unreadable, return the reason."""
    try:
        return read()
    except (SegueError, PyMongoError, KafkaError, OSError) as error:
        return Problem(str(error).partition("\n")[0])
