"""Measure how soon the live recommendations react when a simulated listener plays a track."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from segue.connections import kafka, mongo, offsets
from segue.demo import listeners
from segue.demo.watch import STILL_S, minutes
from segue.errors import StackError
from segue.listens.events import SIMULATED, listen
from segue.patience import Patience
from segue.recommender.serving.lists import COLLECTION
from segue.settings import Settings

POLL_S = 0.05


def seconds_to_answer(settings: Settings, audience: listeners.Audience) -> float:
    """Let the first listener play a track now, and measure the time until their recommendations are replaced.

    First wait until the live recommendations have read all earlier listens, so that they react to this one.

    Parameters
    ----------
    settings : Settings
    audience : Audience

    Returns
    -------
    float
        Seconds from Kafka's acknowledgement of the listen until MongoDB has the new document.

    Raises
    ------
    StackError
        If the live recommendations do not read listens, or do not react, for `STILL_S`.
    """
    config = kafka.config(settings)
    patience = Patience(STILL_S)
    while waiting := offsets.backlog(config, settings.listens_topic, settings.live_group).size:
        if patience.is_over(waiting):
            raise StackError(
                f"The live recommendations have {waiting:,} listens to read and have read none for "
                f"{minutes(patience)}. Look at `segue logs live`."
            )
        time.sleep(1)
    name, track_id = audience.listeners[0].name, audience.tracks[0].track_id
    played, patience = datetime.now(UTC), Patience(STILL_S)
    listeners.produce(settings, [listen(name, track_id, int(played.timestamp()), SIMULATED)])
    began = time.monotonic()
    with mongo.client(settings.mongo) as client:
        found = client[settings.mongo_database][COLLECTION]
        while not found.find_one({"_id": name, "generated_at": {"$gt": played}}, {"_id": 1}):
            if patience.is_over(None):
                raise StackError(
                    f"{name} has played a track and got no new recommendations for {minutes(patience)}. "
                    "Look at `segue logs live`."
                )
            time.sleep(POLL_S)
    return time.monotonic() - began
