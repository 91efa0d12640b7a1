"""The catalogue that listens are matched with: names and ids of the published tracks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from itertools import chain
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from segue.connections import kafka, offsets
from segue.errors import ServiceUnavailableError
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.settings import Settings
from segue.tracks import collection

log = logging.getLogger(__name__)

REFRESH_S = 30.0
KAFKA_TIMEOUT_MS = 2_000


def entries(database: Database[dict[str, Any]]) -> Iterator[CatalogueEntry]:
    """Read the published tracks."""
    pages = collection.in_pages(database, "title", "artist", "recording_mbid", "duration_s")
    for track in chain.from_iterable(pages):
        names = (track.get("artist") or "", track.get("title") or "")
        yield CatalogueEntry(track["_id"], *names, track.get("recording_mbid"), track.get("duration_s"))


class LiveCatalogue:
    """Keeps the index of the catalogue current.

    Every half minute, a thread checks whether new days of the corpus have been announced in Kafka. It does not
    compare the number of tracks, because some document servers read a whole collection to count it.

    Parameters
    ----------
    database
        The corpus' database.
    settings
        Where Kafka is, and the name of the topic of announced days.
    """

    def __init__(self, database: Database[dict[str, Any]], settings: Settings) -> None:
        self._database = database
        self._kafka = kafka.config(settings) | {"bootstrap_timeout_ms": KAFKA_TIMEOUT_MS}
        self._topic = settings.tracks_topic
        self.loaded = False
        self._taken_in: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="catalogue", daemon=True)
        self.index = TrackIndex([])

    def start(self) -> None:
        """Start the thread, which loads the catalogue and then checks for changes.

        Nothing matches until the catalogue is loaded.
        """
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._stopping.set()
        self._thread.join()

    def refresh(self) -> bool:
        """Build a new index if the corpus has changed, or may have changed; return whether it was built."""
        announced = self._announced()
        if self.loaded and announced in (None, self._taken_in):
            return False
        self.index = TrackIndex(entries(self._database))
        self.loaded, self._taken_in = True, announced
        return True

    def _announced(self) -> int | None:
        """Return the sum of the end offsets of the topic of announced days; None if Kafka does not answer."""
        try:
            ends = offsets.whole_topic(self._kafka, self._topic).ends
        except ServiceUnavailableError:
            return None
        return sum(ends.values())

    def _run(self) -> None:
        while True:
            try:
                if self.refresh():
                    log.info("Matching listens with %d tracks", len(self.index))
            except PyMongoError as error:
                log.warning("MongoDB is away, so the catalogue stays as it is: %s", type(error).__name__)
            if self._stopping.wait(REFRESH_S):
                return
