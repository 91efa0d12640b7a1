"""Metrics of what runs beside the API: jobs, consumers of the listens, dead letters, quarantine and disk."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from prometheus_client import Gauge
from pymongo.database import Database
from pymongo.errors import PyMongoError

from segue.api.metrics import REGISTRY
from segue.connections import kafka, offsets
from segue.corpus import quarantine
from segue.errors import ServiceUnavailableError
from segue.listens.follower import GROUP as STORE_GROUP
from segue.recommender.serving.live import heartbeat
from segue.runs import summaries
from segue.settings import Settings
from segue.tracks.collection import published

MAX_AGE_S: Final = 15.0
TIMEOUT_MS: Final = 2_000
DAY: Final = timedelta(days=1)

LAG = Gauge(
    "segue_consumer_lag", "Messages that a consumer group has not committed yet.", ["group"], registry=REGISTRY
)
DEAD_LETTERS = Gauge("segue_dead_letters", "Messages that Segue could not read.", registry=REGISTRY)
LISTENS_LAST_DAY = Gauge(
    "segue_listens_last_day", "Listens that Kafka has received in the last 24 hours.", registry=REGISTRY
)
QUARANTINED = Gauge(
    "segue_quarantined_ranges", "Ranges of days that the quality gate holds back.", registry=REGISTRY
)
PUBLISHED = Gauge("segue_published_tracks", "Tracks of all published days.", registry=REGISTRY)
DISK_FREE = Gauge("segue_disk_free_bytes", "Free space on the disk of the state folder.", registry=REGISTRY)
LIVE_SILENT = Gauge(
    "segue_live_silent_seconds", "Time since the last heartbeat of the live recommendations.", registry=REGISTRY
)
JOB_ENDED = Gauge(
    "segue_job_ended_timestamp_seconds", "When a job last reported its results.", ["dag", "job"], registry=REGISTRY
)
JOB_SECONDS = Gauge("segue_job_seconds", "Wall time of a job's last run.", ["dag", "job"], registry=REGISTRY)

_SECONDS_OF: Final = ("seconds", "work.seconds", "published.seconds")
"""Where the reports have the wall time of their job."""


def measure(settings: Settings, database: Database[Any]) -> None:
    """Set the gauges; unknown values are NaN."""
    folder = settings.state_dir
    DISK_FREE.set(shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free)
    beat = heartbeat(settings)
    LIVE_SILENT.set(time.time() - beat.stat().st_mtime if beat.exists() else math.nan)
    _measure_topics(settings)
    try:
        QUARANTINED.set(database[quarantine.COLLECTION].count_documents({}))
        PUBLISHED.set(published(database))
        _measure_jobs(database)
    except PyMongoError:
        for gauge in (QUARANTINED, PUBLISHED):
            gauge.set(math.nan)


def _measure_topics(settings: Settings) -> None:
    config = kafka.config(settings) | {"bootstrap_timeout_ms": TIMEOUT_MS}
    groups = {
        STORE_GROUP: settings.listens_topic,
        settings.live_group: settings.listens_topic,
        settings.retraining_group: settings.listens_topic,
        settings.new_tracks_group: settings.tracks_topic,
    }
    known: dict[str, float] = dict.fromkeys(groups, math.nan)
    dead: float = math.nan
    arrived: float = math.nan
    try:
        known |= offsets.lags(config, groups)
        dead = offsets.whole_topic(config, settings.dead_letters_topic).size
        [arrived] = offsets.arrived_since(config, settings.listens_topic, [datetime.now(UTC) - DAY])
    except ServiceUnavailableError:
        dead = arrived = math.nan
    for group, lag in known.items():
        LAG.labels(group).set(lag)
    DEAD_LETTERS.set(dead)
    LISTENS_LAST_DAY.set(arrived)


def _measure_jobs(database: Database[Any]) -> None:
    """Set the figures of the newest report of each job of each DAG."""
    fields = {"run_id": 1, "job": 1, "written_at": 1} | {f"summary.{name}": 1 for name in _SECONDS_OF}
    for report in database[summaries.COLLECTION].find({}, fields).sort("written_at", 1):
        labels = report["run_id"].partition("/")[0], report["job"]
        JOB_ENDED.labels(*labels).set(report["written_at"].replace(tzinfo=UTC).timestamp())
        for name in _SECONDS_OF:
            if (seconds := _entry(report.get("summary", {}), name)) is not None:
                JOB_SECONDS.labels(*labels).set(seconds)


def _entry(document: Mapping[str, Any], dotted: str) -> Any:
    for name in dotted.split("."):
        document = (document or {}).get(name)  # type: ignore[assignment]
    return document
