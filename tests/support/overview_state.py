"""A state of Segue as an operator may find it, for the overview. Each test changes what it is about."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

from segue.genres.reports import GenreReport, Predictions
from segue.overview.corpus import Corpus, Day, DayState, Quarantined
from segue.overview.dags import DAGS, DagState, Schedule, Waiting
from segue.overview.listens import Listens, Sample
from segue.overview.models import Models
from segue.overview.state import State
from segue.overview.storage import Storage
from segue.recommender.reports import FullTrainingReport, IncrementalUpdateReport
from segue.runs.history import Training

NOW = datetime(2026, 11, 28, 14, 5, 12, tzinfo=UTC)
LAST = date(2026, 11, 27)


def corpus(**changes: Any) -> Corpus:
    """A year of days with a quarantined one, one that waits, and some rejected files."""
    days = {
        LAST - timedelta(days=back): Day(12 + back * 7 % 40, int(back % 29 == 0), DayState.PUBLISHED)
        for back in range(400)
        if back * back % 11 < 7
    }
    days[date(2026, 11, 3)] = Day(40, 31, DayState.QUARANTINED)
    days[date(2026, 6, 9)] = Day(1, 1, DayState.WITHOUT_TRACKS)
    parts = {
        "tracks": 106_402,
        "files": 106_574,
        "rejected": {"TRUNCATED": 98, "UNREADABLE": 41, "SILENT": 21, "TOO_SHORT": 12},
        "days": days,
        "quarantined": [
            Quarantined(
                date(2026, 11, 3),
                date(2026, 11, 3),
                ("share of files rejected: 0.775",),
                datetime(2026, 11, 4, 0, 41, tzinfo=UTC),
                "corpus/scheduled__2026-11-03",
            )
        ],
        "size_mb": 93_412.0,
    }
    return Corpus(**(parts | changes))


def listens(**changes: Any) -> Listens:
    """A day of listens, of which some are simulated."""
    hour = NOW.replace(minute=0, second=0)
    starts = [hour - timedelta(hours=back) for back in reversed(range(24))]
    parts = {
        "messages": 988_412,
        "by_hour": {start: round(120 + 110 * math.sin(start.hour / 24 * 6.283 - 2)) for start in starts},
        "lags": {
            "store of listens": 0,
            "live recommendations": 0,
            "incremental retraining": 112,
            "new tracks": 0,
        },
        "dead_letters": 2,
        "sample": Sample(
            1000, 871, 64, {"Björk": 31, "Sigur Rós": 22, "Кино": 9, "The Velvet Underground & Nico": 5}, NOW
        ),
        "held": None,
    }
    return Listens(**(parts | changes))


def training(dag_id: str, back: int, value: float, half: float | None, *, promoted: bool) -> Training:
    """A training some days ago."""
    interval = None if half is None else (value - half, value + half)
    version = f"{'genre' if dag_id == 'genre_model' else 'recommender'}/{41 - back}" if promoted else None
    return Training(f"{dag_id}/scheduled__{back}", version, NOW - timedelta(days=back), value, interval, promoted)


def models(**changes: Any) -> Models:
    """Some weeks of trainings."""
    genre = [0.41, 0.43, 0.44, 0.42, 0.46, 0.47]
    full = [0.081, 0.092, 0.09, 0.097, 0.101, 0.1, 0.108]
    updates = [0.101, 0.104, 0.099, 0.106, 0.108, 0.104, 0.11, 0.109]
    last = {"reason": "It ranks new tracks better than popularity.", "seconds": 61.0, "model": "recommender/41"}
    parts = {
        "champions": {"genre": "6", "recommender": "41"},
        "genre": [training("genre_model", 6 - n, f1, 0.02, promoted=n != 3) for n, f1 in enumerate(genre)],
        "recommender": [training("recommender", 7 - n, v, 0.008, promoted=n != 5) for n, v in enumerate(full)],
        "updates": [
            training("incremental_retraining", 2, v, None, promoted=v > 0.1) for n, v in enumerate(updates)
        ],
        "last": {
            "genre_model": GenreReport(
                decision="promoted",
                reason="Its macro F1 is 0.470, the champion's 0.455 on the same tracks.",
                model="genre/6",
                seconds=1100.0,
                predictions=Predictions(),
            ),
            "recommender": FullTrainingReport(
                decision="promoted", compared={"ndcg_at_10": {"Segue": 0.108}, "listens": 9}, learned="", **last
            ),
            "incremental_retraining": IncrementalUpdateReport(
                decision="kept", window="{}", messages_in_window=252, waiting_after_window=3, **last
            ),
        },
        "drift": [
            (f"corpus/{n}", NOW - timedelta(days=9 - n), d, "spectral_centroid")
            for n, d in enumerate((0.05, 0.04, 0.11, 0.06, 0.05, 0.31, 0.08))
        ],
    }
    return Models(**(parts | changes))


def state(**changes: Any) -> State:
    """Everything but the DAGs."""
    sizes = {"Lake (Delta tables)": 412e6, "MongoDB": 655e6, "Airflow and its logs": 93e6, "Kafka": 214e6}
    parts = {
        "corpus": corpus(),
        "models": models(),
        "listens": listens(),
        "storage": Storage({name: int(size) for name, size in sizes.items()}, 812_000_000_000),
        "at": NOW,
    }
    return State(**(parts | changes))


def schedule(**changes: Any) -> Schedule:
    """Seven DAGs that are on and have succeeded; `changes` are fields of a DAG by its id."""
    dags = []
    for place, dag_id in enumerate(DAGS):
        fields: dict[str, Any] = {
            "dag_id": dag_id,
            "paused": False,
            "run_id": "scheduled__2026-11-27",
            "outcome": "success",
            "ended_at": NOW - timedelta(hours=14, minutes=-11 * place),
            "seconds": 40.0 + 700 * place,
            "running": int(dag_id == "incremental_retraining"),
            "next_run": NOW.replace(hour=0, minute=0, second=0) + timedelta(days=1),
        }
        dags.append(DagState(**(fields | changes.get(dag_id, {}))))
    return Schedule(dags, Waiting(250, NOW + timedelta(minutes=21)))
