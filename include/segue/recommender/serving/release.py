"""Publish a new champion: recommend to every listener with it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from pymongo.database import Database

from segue.listens.removals import Removals, user_key
from segue.recommender.candidate import PromotionDecision
from segue.recommender.interactions import Interactions
from segue.recommender.material import Material
from segue.recommender.serving.batch import pages_of, recommend_all
from segue.recommender.serving.champion import Served
from segue.recommender.serving.lists import COLLECTION
from segue.recommender.serving.recommend import Listener


def publish(
    database: Database[dict[str, Any]],
    decision: PromotionDecision,
    learned: Material,
    removed: Mapping[str, float],
) -> int:
    """Recommend to every listener with the new champion.

    Parameters
    ----------
    database
        The corpus' database.
    decision
        How the retraining ended.
    learned
        The material that the new champion has learned.
    removed
        The removals that were known when the listens were read. Users forgotten since then get no list.

    Returns
    -------
    int
        How many listeners got a list; 0 if there is no new champion.
    """
    if decision.model is None:
        return 0
    listeners = listeners_of(learned.interactions)
    recommend_all(database, Served(decision.version, decision.model), listeners)
    # When a user is forgotten, the removal is recorded before the list is deleted. So this read also finds the
    # removals that came while the lists were written.
    noted = Removals(database).all()
    late = [name for name in listeners if noted.get(user_key(name)) != removed.get(user_key(name))]
    for names in pages_of(late):
        database[COLLECTION].delete_many({"_id": {"$in": names}})
    return len(listeners) - len(late)


def listeners_of(plays: Interactions) -> dict[str, Listener]:
    """Group plays by listener, in the order of the listeners' names.

    Parameters
    ----------
    plays : Interactions
        They must have times. Plays of a track by a listener in the same second count as one.
    """
    at = np.asarray(plays.timestamp).astype(np.int64)
    order = np.lexsort((at, plays.item, plays.user))
    user, item, at = plays.user[order], plays.item[order], at[order]
    first = np.ones(len(order), dtype=bool)  # the first play of a track by a listener
    first[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    counted = first.copy()
    counted[1:] |= at[1:] != at[:-1]
    starts = np.flatnonzero(first)
    times = np.add.reduceat(counted, starts, dtype=np.float32) if len(starts) else np.empty(0, dtype=np.float32)
    last = at[np.append(starts[1:], len(order)) - 1] if len(starts) else at
    tracks = item[starts].astype(np.int64)
    bounds = np.searchsorted(user[starts], np.arange(len(plays.users) + 1))
    rows = (slice(begin, end) for begin, end in pairwise(bounds.tolist()))
    return {
        str(name): Listener(tracks[row], times[row], last[row])
        for name, row in zip(plays.users, rows, strict=True)
        if row.stop > row.start
    }
