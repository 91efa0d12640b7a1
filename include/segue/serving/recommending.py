"""Recommendations for one listener at a time: the stored ones, or ranked now with other wishes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from pymongo.database import Database

from segue.errors import ModelError
from segue.models.ranking.recommend import Wishes
from segue.serving.champion import Champion, Served
from segue.serving.histories import Histories
from segue.serving.lists import COLLECTION, Document, documents, hated_by, listener_of


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
        self._histories = Histories(database)
        self.champion = champion

    def stored(self, user_name: str) -> Document | None:
        """Read what was recommended last; None if nothing was yet."""
        return self._database[COLLECTION].find_one({"_id": user_name})

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
        listener = listener_of(served, self._histories.read(user_name), hated)
        return next(documents(served, {user_name: listener}, now=time.time(), wishes=wishes))

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
