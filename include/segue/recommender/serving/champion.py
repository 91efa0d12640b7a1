"""The recommender that serves, taken up from the registry as soon as another one is the champion."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from functools import cached_property

from segue.connections.registry import Registry
from segue.errors import SegueError
from segue.listens.lookup import Lookup
from segue.listens.plays import recording_msid
from segue.recommender.model import NAME, Recommender
from segue.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 3.0


@dataclass(frozen=True)
class Served:
    """A recommender and the name of its version."""

    version: str
    model: Recommender

    @cached_property
    def recordings(self) -> Lookup:
        """Positions of tracks by the id that their artist and title give (ListenBrainz' MSID)."""
        names = zip(self.model.catalogue.artists, self.model.catalogue.titles, strict=True)
        return Lookup(recording_msid(artist, title, None) for artist, title in names)


class Champion:
    """Looks every few seconds which version is the champion; loads a new one beside the one that serves.

    A version that cannot be loaded is not served: the one before goes on, and `error` says why. `looked` is set as
    soon as it is known whether there is a champion.

    Parameters
    ----------
    settings
        Where the registry is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="champion", daemon=True)
        self._refused: str | None = None
        self.looked = threading.Event()
        self.served: Served | None = None
        self.error: str | None = "no recommender has been trained yet: run the DAG `recommender`"

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stopping.set()
        self._thread.join()

    def look(self, registry: Registry) -> bool:
        """Take up the champion if it is another one; tell whether it is."""
        found = registry.champion(NAME)
        if found is None or str(found) in (self.served and self.served.version, self._refused):
            return False
        try:
            self.served = Served(str(found), Recommender.load(found.folder()))
        except SegueError as error:
            self._refused, self.error = str(found), str(error)
            log.error("%s is not taken up: %s", found, error)  # noqa: TRY400 - the message says it all
            return False
        self._refused = self.error = None
        log.info("%s recommends from now on", found)
        return True

    def _run(self) -> None:
        registry: Registry | None = None
        while not self._stopping.is_set():
            try:
                registry = registry or Registry(self._settings)
                self.look(registry)
            except Exception as error:  # noqa: BLE001 - whatever the registry's client raises, the model stays
                self.error = f"the registry does not answer: {error}"
                log.warning("The recommender stays as it is, %s", self.error)
            self.looked.set()
            self._stopping.wait(LOOK_EVERY_S)
