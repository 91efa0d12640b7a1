"""Follow the registry: load each new champion as soon as it is promoted, and each challenger when it is named."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from segue.connections.model_version import Version
from segue.connections.registry import Registry
from segue.errors import SegueError
from segue.recommender.model import NAME, Recommender
from segue.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 3.0
"""How often the registry is asked for the champion."""

TRY_AGAIN_S = 60.0
"""Delay until a version that could not be loaded is tried again. Its download may have broken off."""

NONE_YET = "no recommender has been trained yet: run the DAG `recommender`"
LOST = "the registry has no recommender any more, so {} serves on from memory: run the DAG `recommender`"


@dataclass(frozen=True)
class Served:
    """A recommender and the name of its version."""

    version: str
    model: Recommender


class Champion:
    """Asks the registry for the champion every few seconds.

    While a new champion is loaded, the old one serves. If a version cannot be loaded, the previous version goes on
    serving. `error` then says why, and loading is tried again every `TRY_AGAIN_S`. `looked` is set once the
    registry has been asked for the first time.

    Parameters
    ----------
    settings
        Where the registry is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="champion", daemon=True)
        self._location: str | None = None  # a registry that was lost counts its versions from 1 again
        self._refused: str | None = None
        self._refused_until = 0.0  # by the monotonic clock
        self.looked = threading.Event()
        self.served: Served | None = None
        self.error: str | None = NONE_YET

    def start(self) -> None:
        """Start the thread that asks."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._stopping.set()
        self._thread.join()

    def look(self, registry: Registry) -> bool:
        """Load the champion if the registry names another version; return whether a new version serves now."""
        found = registry.champion(NAME)
        if found is None:
            self.error = LOST.format(self.served.version) if self.served else NONE_YET
            return False
        return self._load(found)

    def _load(self, found: Version) -> bool:
        if found.location == self._location:
            self.error = None  # the registry answers again, or was rolled back
            return False
        if str(found) == self._refused and time.monotonic() < self._refused_until:
            return False
        try:
            self.served = Served(str(found), Recommender.fetch(found))
        except SegueError as error:
            self._refused, self.error = str(found), str(error)
            self._refused_until = time.monotonic() + TRY_AGAIN_S
            log.error("%s does not serve: %s", found, error)  # noqa: TRY400 - the message says it all
            return False
        self._refused = self.error = None
        self._location = found.location
        log.info("%s serves from now on", found)
        return True

    def _run(self) -> None:
        registry: Registry | None = None
        while not self._stopping.is_set():
            try:
                registry = registry or Registry(self._settings)
                self.look(registry)
            except Exception as error:  # noqa: BLE001 - the model serves on, whatever the registry's client raises
                self.error = f"the registry does not answer: {error}"
                log.warning("The recommender that serves goes on: %s", self.error)
            self.looked.set()
            self._stopping.wait(LOOK_EVERY_S)


class Challenger(Champion):
    """Asks the registry for the version that is compared with the champion. There may be none.

    `named` is the version that is loaded, as the registry knows it.
    """

    named: Version | None = None

    def look(self, registry: Registry) -> bool:
        """Load the challenger if the registry names another version, and drop the one before."""
        found = registry.challenger(NAME)
        if found is None or found.location != self._location:
            self.served = self.named = self._location = None
        if found is None:
            self.error = None
            return False
        loaded = self._load(found)
        self.named = found if self.served else None
        return loaded
