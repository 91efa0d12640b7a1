"""Metrics of the incremental retraining: the backlog, and the result of the last run."""

from __future__ import annotations

import math
from typing import Any, Final

from prometheus_client import Gauge
from pymongo.database import Database
from pymongo.errors import PyMongoError

from segue.api.metrics import REGISTRY
from segue.connections import kafka, offsets
from segue.errors import ServiceUnavailableError
from segue.runs import summaries
from segue.settings import Settings

TIMEOUT_MS: Final = 2_000

LAG = Gauge("segue_retraining_lag", "Listens that wait for the incremental retraining.", registry=REGISTRY)
NDCG = Gauge(
    "segue_retraining_ndcg_at_10",
    "NDCG@10 in the last run that compared the two models.",
    ["model"],
    registry=REGISTRY,
)
LAST: Final = {
    name: Gauge(f"segue_retraining_last_{name}", f"Last run: {text}.", registry=REGISTRY)
    for name, text in {
        "ended_timestamp_seconds": "time of its end",
        "seconds": "duration",
        "window_messages": "messages in its window",
        "lost_by_retention": "offsets of its window that retention had deleted",
        "promoted": "1 if the challenger was promoted, 0 if the champion was kept",
        "first_event_to_promoted_seconds": "time from the first event of its window to the promotion",
    }.items()
}


def measure(settings: Settings, database: Database[dict[str, Any]]) -> None:
    """Set the gauges; unknown values are NaN."""
    config = kafka.config(settings) | {"bootstrap_timeout_ms": TIMEOUT_MS}
    try:
        LAG.set(offsets.backlog(config, settings.listens_topic, settings.retraining_group).size)
    except ServiceUnavailableError:
        LAG.set(math.nan)
    try:
        last = summaries.last("incremental_retraining", source=database)
    except PyMongoError:
        last = None
    done = last["summary"] if last else {}
    known = {
        "ended_timestamp_seconds": last["written_at"].timestamp() if last else math.nan,
        "seconds": done.get("seconds"),
        "window_messages": done.get("messages_in_window"),
        "lost_by_retention": done.get("lost_by_retention"),
        "promoted": done["decision"] == "promoted" if done else None,
        "first_event_to_promoted_seconds": done.get("first_event_to_promoted_s"),
    }
    for name, value in known.items():
        LAST[name].set(math.nan if value is None else value)
    if "challenger" in done:
        NDCG.labels("challenger").set(done["challenger"]["ndcg@10"])
        NDCG.labels("champion").set(done["champion"])
