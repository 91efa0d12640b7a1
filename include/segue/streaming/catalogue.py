"""The catalogue that listens are matched with: names and ids of the published tracks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

from pymongo import DESCENDING
from pymongo.database import Database
from pymongo.errors import PyMongoError

from segue.streaming.matching import CatalogueEntry, TrackIndex

log = logging.getLogger(__name__)

REFRESH_S = 30.0

Fingerprint = tuple[int, str]


def entries(database: Database[dict[str, Any]]) -> Iterator[CatalogueEntry]:
    """Read the published tracks."""
    wanted = {"title": 1, "artist": 1, "recording_mbid": 1}
    for track in database["tracks"].find({}, wanted):
        yield CatalogueEntry(
            track["_id"], track.get("artist") or "", track.get("title") or "", track.get("recording_mbid")
        )


def fingerprint(database: Database[dict[str, Any]]) -> Fingerprint:
    """Tell one state of the corpus from another: number of tracks and the newest partition."""
    newest = database["tracks"].find_one({}, {"partition_date": 1}, sort=[("partition_date", DESCENDING)])
    return database["tracks"].count_documents({}), str(newest and newest.get("partition_date"))


class LiveCatalogue:
    """The newest index; a thread looks every half minute whether the corpus has grown.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._database = database
        self._fingerprint: Fingerprint | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="catalogue", daemon=True)
        self.index = TrackIndex([])

    def start(self) -> None:
        """Load the catalogue now and then again; until it is there, nothing matches."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stopping.set()
        self._thread.join()

    def refresh(self) -> bool:
        """Build a new index if the corpus has changed; tell whether it has."""
        current = fingerprint(self._database)
        if current == self._fingerprint:
            return False
        self.index = TrackIndex(entries(self._database))
        self._fingerprint = current
        return True

    def _run(self) -> None:
        while True:
            try:
                if self.refresh():
                    log.info("Matching listens with %d tracks", len(self.index))
            except PyMongoError as error:
                log.warning("The catalogue stays as it is, MongoDB is away: %s", type(error).__name__)
            if self._stopping.wait(REFRESH_S):
                return
