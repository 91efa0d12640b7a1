"""What Prometheus is told of the incremental retraining: how much waits, and how its last run ended."""

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
NDCG = Gauge("segue_retraining_ndcg_at_10", "Of the last run that compared them.", ["model"], registry=REGISTRY)
LAST: Final = {
    name: Gauge(f"segue_retraining_last_{name}", f"Of the last run: {text}.", registry=REGISTRY)
    for name, text in {
        "ended_timestamp_seconds": "when it ended",
        "seconds": "how long it took",
        "window_messages": "messages of its window",
        "lost_by_retention": "offsets of its window that were deleted before",
        "promoted": "1 if its challenger serves, 0 if the champion was kept",
        "first_event_to_promoted_seconds": "from the first event of its window to the promotion",
    }.items()
}


def measure(settings: Settings, database: Database[dict[str, Any]]) -> None:
    """Set the gauges; NaN is what cannot be known."""
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
