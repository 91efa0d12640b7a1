"""Recommendations for one listener: the stored list, or a list made now with other parameters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from pymongo.database import Database

from segue.errors import ModelError
from segue.listens.plays import recording_msid
from segue.listens.store import ListenStore
from segue.recommender.model import Catalogue
from segue.recommender.serving.champion import NONE_YET, Champion, Served
from segue.recommender.serving.lists import COLLECTION, Document, documents, hated_by, history_of, listener_of
from segue.recommender.serving.recommend import Wishes

NOTHING: Final = "Nothing can be recommended: {}."


class Recommending:
    """Provides the recommendations for the API's routes and for ``segue recommend``.

    Parameters
    ----------
    database
        The corpus' database.
    champion
        The recommender that serves.
    skip_weight
        As in `segue.recommender.serving.lists.listener_of`.
    """

    def __init__(
        self, database: Database[dict[str, Any]], champion: Champion, *, skip_weight: float = 0.0
    ) -> None:
        self._database = database
        self._skip_weight = skip_weight
        self._listens = ListenStore(database)
        self._replaced: Callable[[Document], Document] | None = None
        self.champion = champion

    def replace_by(self, replaced: Callable[[Document], Document]) -> None:
        """From now on, serve what a function returns for each stored list."""
        self._replaced = replaced

    def stored(self, user_name: str) -> Document | None:
        """Read the stored list; None if there is no list. While a challenger is compared, it may be interleaved.

        Tracks that the listener hates now are left out. So are copies, if the list was made before their recording
        was known.
        """
        found = self._database[COLLECTION].find_one({"_id": user_name})
        if found:
            hated = hated_by(self._database, [user_name]).get(user_name, set())
            found["items"] = list(self._shown(found["items"], hated))
            if self._replaced:
                found = self._replaced(found)
                found["items"] = list(self._shown(found["items"], hated))
        return found

    def _shown(self, items: Iterable[Document], hated: set[str]) -> Iterator[Document]:
        served = self.champion.served
        catalogue = served.model.catalogue if served else Catalogue((), (), ())
        barred = hated | {catalogue.track_ids[at] for at in catalogue.positions(hated)}
        for item in items:
            at = catalogue.position.get(item["track_id"])
            recording = item["track_id"] if at is None else catalogue.track_ids[at]
            if barred.isdisjoint((item["track_id"], recording, msid_of(item))):
                yield item
                barred.add(recording)

    def newest(self, user_name: str) -> Any:
        """Return when the stored list was made, without reading it; None if there is no list."""
        found = self._database[COLLECTION].find_one({"_id": user_name}, {"generated_at": 1})
        return found and found["generated_at"]

    def now(self, user_name: str, wishes: Wishes) -> Document:
        """Make a list now, from everything that the listener has played.

        Raises
        ------
        ModelError
            If no recommender serves yet.
        """
        return self.made(self.served(), user_name, wishes)

    def made(self, served: Served, user_name: str, wishes: Wishes) -> Document:
        """Make a list with some recommender; see :meth:`now`."""
        hated = hated_by(self._database, [user_name]).get(user_name, ())
        history = history_of(self._database, user_name)
        listener = listener_of(served, history, hated, skip_weight=self._skip_weight)
        return next(documents(served, {user_name: listener}, now=time.time(), wishes=wishes))

    def recording_mbids(self, items: list[Document]) -> dict[str, str]:
        """Read the MusicBrainz ids of recommended tracks, by track id. Tracks without one are left out."""
        query = {"_id": {"$in": [item["track_id"] for item in items]}}
        found = self._database["tracks"].find(query, {"recording_mbid": 1})
        return {track["_id"]: track["recording_mbid"] for track in found if track.get("recording_mbid")}

    def served(self) -> Served:
        """Return the recommender that serves.

        Raises
        ------
        ModelError
            If none serves yet.
        """
        if self.champion.served is None:
            raise ModelError(NOTHING.format(self.champion.error))
        return self.champion.served

    def none_yet(self) -> str | None:
        """Return a sentence if no recommender has been trained yet, which is no fault; else None."""
        untrained = self.champion.served is None and self.champion.error == NONE_YET
        return NOTHING.format(NONE_YET) if untrained else None


def msid_of(item: Document) -> str:
    """Return the id of a recommended track for clients that know recordings only by their names."""
    return recording_msid(item.get("artist") or "", item.get("title") or "", None)
