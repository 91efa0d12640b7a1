"""What the overview shows of the DAGs. The plugin reads it from Airflow, because the library knows no Airflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

DAGS: Final = (
    "corpus",
    "genre_model",
    "recommender",
    "playlists",
    "incremental_retraining",
    "new_tracks",
    "listens",
    "maintenance",
    "watch",
)
"""Segue's DAGs, in the order of the page. Whoever may read the runs of all of them may see the overview."""


@dataclass(frozen=True)
class DagState:
    """A DAG and its newest runs.

    Attributes
    ----------
    dag_id : str
    paused : bool
    run_id : str or None
        The newest run that has ended; None if none has.
    outcome : str or None
        ``success`` or ``failed``.
    ended_at : datetime or None
    seconds : float or None
        Wall time of this run.
    running : int
        Runs that are queued or running.
    next_run : datetime or None
        None if the DAG has no schedule by the clock.
    """

    dag_id: str
    paused: bool
    run_id: str | None = None
    outcome: str | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    running: int = 0
    next_run: datetime | None = None


@dataclass(frozen=True)
class Waiting:
    """The sensor of the incremental retraining, while it waits.

    Attributes
    ----------
    min_events : int
        New listens that it waits for.
    until : datetime
        When a single new listen suffices.
    """

    min_events: int
    until: datetime


@dataclass(frozen=True)
class Schedule:
    """What Airflow knows.

    Attributes
    ----------
    dags : sequence of DagState
        In the order of `DAGS`.
    waiting : Waiting or None
        None if the sensor does not wait.
    """

    dags: Sequence[DagState]
    waiting: Waiting | None = None
