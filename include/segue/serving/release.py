"""What the training jobs do after the training itself: give everybody the new lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pymongo.database import Database

from segue.models.ranking.training import Decision, Material
from segue.serving.batch import recommend_all
from segue.serving.champion import Served
from segue.serving.histories import History
from segue.serving.lists import COLLECTION
from segue.streaming.removals import Removals, user_key


def publish(
    database: Database[dict[str, Any]], decision: Decision, learned: Material, removed: Mapping[str, float]
) -> int:
    """Recommend to every listener with the new champion.

    Parameters
    ----------
    database
        The corpus' database.
    decision
        How the training ended.
    learned
        What it read.
    removed
        The removals that were known when it read. Who has been forgotten since gets nothing.

    Returns
    -------
    int
        How many listeners; 0 if there is no new champion.
    """
    if decision.model is None:
        return 0
    histories = _histories(learned)
    recommend_all(database, Served(decision.version, decision.model), histories)
    # After the writing, since a user who is forgotten leaves the note first: nobody slips through in between.
    noted = Removals(database).all()
    late = [name for name in histories if noted.get(user_key(name)) != removed.get(user_key(name))]
    database[COLLECTION].delete_many({"_id": {"$in": late}})
    return len(histories) - len(late)


def _histories(learned: Material) -> dict[str, History]:
    plays = learned.interactions
    histories: dict[str, History] = {}
    rows = zip(plays.users[plays.user], plays.items[plays.item], np.asarray(plays.timestamp), strict=True)
    for name, track, at in rows:
        histories.setdefault(str(name), History()).add(str(track), int(at))
    return histories
