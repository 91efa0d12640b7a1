"""Recommendations for one listener at a time: the stored ones, or ranked now with other wishes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from pymongo.database import Database

from segue.errors import ModelError
from segue.listens.plays import recording_msid
from segue.listens.store import ListenStore
from segue.recommender.serving.champion import Champion, Served
from segue.recommender.serving.lists import COLLECTION, Document, documents, hated_by, listener_of
from segue.recommender.serving.recommend import Wishes


class Recommending:
    """What the routes and ``segue recommend`` ask.

    Parameters
    ----------
    database
        The corpus' database.
    champion
        What ranks.
    """

    def __init__(self, database: Database[dict[str, Any]], champion: Champion) -> None:
        self._database = database
        self._listens = ListenStore(database)
        self.champion = champion

    def stored(self, user_name: str) -> Document | None:
        """Read what was recommended last, without what has been hated since; None if nothing was yet."""
        found = self._database[COLLECTION].find_one({"_id": user_name})
        hated = hated_by(self._database, [user_name]).get(user_name)
        if found and hated:
            found["items"] = [
                item for item in found["items"] if hated.isdisjoint((item["track_id"], msid_of(item)))
            ]
        return found

    def newest(self, user_name: str) -> Any:
        """Tell when that was, which is quicker."""
        found = self._database[COLLECTION].find_one({"_id": user_name}, {"generated_at": 1})
        return found and found["generated_at"]

    def now(self, user_name: str, wishes: Wishes) -> Document:
        """Rank now, from everything the listener has played.

        Raises
        ------
        ModelError
            If no recommender serves yet.
        """
        hated = hated_by(self._database, [user_name]).get(user_name, ())
        served = self.served()
        listener = listener_of(served, self._listens.history(user_name), hated)
        return next(documents(served, {user_name: listener}, now=time.time(), wishes=wishes))

    def recording_mbids(self, items: list[Document]) -> dict[str, str]:
        """Read the MusicBrainz ids of recommended tracks: by track, of those that have one in the corpus."""
        query = {"_id": {"$in": [item["track_id"] for item in items]}}
        found = self._database["tracks"].find(query, {"recording_mbid": 1})
        return {track["_id"]: track["recording_mbid"] for track in found if track.get("recording_mbid")}

    def similar(self, track_id: str, count: int) -> list[Document] | None:
        """Find the tracks that sound most alike; None for a track that is not in the catalogue.

        Raises
        ------
        ModelError
            If no recommender serves yet.
        """
        model = self.served().model
        at = model.catalogue.position.get(track_id)
        if at is None:
            return None
        if model.alike is None:
            return []
        near = model.alike.relations[at]
        order = np.argsort(-near.data, kind="stable")[:count]
        return [
            {
                "track_id": model.catalogue.track_ids[other],
                "title": model.catalogue.titles[other],
                "artist": model.catalogue.artists[other],
                "similarity": float(near.data[i]),
            }
            for i, other in zip(order, near.indices[order], strict=True)
        ]

    def served(self) -> Served:
        """Give what serves.

        Raises
        ------
        ModelError
            If nothing does.
        """
        if self.champion.served is None:
            raise ModelError(f"Nothing can be recommended: {self.champion.error}.")
        return self.champion.served


def msid_of(item: Document) -> str:
    """Make the id that stands for a recommended track where only names are known."""
    return recording_msid(item.get("artist") or "", item.get("title") or "", None)
