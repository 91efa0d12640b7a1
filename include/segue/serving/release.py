"""What the training jobs do around the training itself: collect what counts, and give everybody the new lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pymongo.database import Database

from segue.models.ranking.training import Decision, Material
from segue.serving.batch import recommend_all
from segue.serving.champion import Served
from segue.serving.histories import History
from segue.streaming.removals import Removals, user_key

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def material(listens: DataFrame, tracks: DataFrame, database: Database[dict[str, Any]]) -> Material:
    """Collect listens and tracks, without the listens that forgotten users left behind in Kafka.

    Parameters
    ----------
    listens : DataFrame
        ``user_name``, ``track_id``, ``listened_at``, ``partition``, ``offset``.
    tracks : DataFrame
        ``track_id``, ``title``, ``artist``, ``features``.
    database
        The corpus' database, which knows who is to be forgotten.
    """
    removed = Removals(database).all()
    forgotten = {name: removed[key] for key, name in _keys(listens).items() if key in removed}
    return Material.read(listens, tracks, forgotten=forgotten)


def publish(database: Database[dict[str, Any]], decision: Decision, learned: Material) -> int:
    """Recommend to every listener with the new champion; return how many, 0 if there is none."""
    if decision.model is None:
        return 0
    return recommend_all(database, Served(decision.version, decision.model), _histories(learned))


def _keys(listens: DataFrame) -> dict[str, str]:
    names = [row.user_name for row in listens.select("user_name").distinct().collect()]
    return {user_key(name): name for name in names}


def _histories(learned: Material) -> dict[str, History]:
    plays = learned.interactions
    histories: dict[str, History] = {}
    rows = zip(plays.users[plays.user], plays.items[plays.item], np.asarray(plays.timestamp), strict=True)
    for name, track, at in rows:
        histories.setdefault(str(name), History()).add(str(track), int(at))
    return histories
