"""The models over time, from the reports of their trainings, and the drift of the corpus over its runs.

MLflow is not loaded: it would add 140 MB to Airflow's API server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from pymongo.database import Database

from segue.connections import champions
from segue.corpus import drift
from segue.corpus.drift import MIN_TRACKS
from segue.corpus.reports import CleaningReport, GateReport
from segue.genres import reports as genre_reports
from segue.genres.reports import GenreReport
from segue.recommender import reports as recommender_reports
from segue.recommender.model import NAME
from segue.recommender.reports import FullTrainingReport, IncrementalUpdateReport, OnlineReport
from segue.runs import summaries
from segue.runs.conclusion import TrainingReport
from segue.runs.history import SHOWN, Training
from segue.settings import Settings


@dataclass(frozen=True)
class Models:
    """The models of Segue.

    Attributes
    ----------
    champions : mapping of str to str
        The version that serves, by the name of the model.
    genre, recommender, updates : sequence of Training
        Trainings of the genre model (macro F1), full trainings of the recommender and its updates (NDCG@10), the
        oldest first.
    last : mapping of str to TrainingReport
        The newest report of each kind, by the name of its DAG.
    drift : sequence of (str, datetime, float, str)
        Run, time, largest distance and its descriptor, for each run of the corpus that can be compared.
    challenger : str or None
        The recommender that is compared with the champion while both serve, such as ``recommender/7``.
    compared : str or None
        What the newest evaluation of a comparison has come to, and when it was.
    """

    champions: Mapping[str, str]
    genre: Sequence[Training]
    recommender: Sequence[Training]
    updates: Sequence[Training]
    last: Mapping[str, TrainingReport]
    drift: Sequence[tuple[str, datetime, float, str]]
    challenger: str | None = None
    compared: str | None = None


def read(settings: Settings, database: Database[Any]) -> Models:
    """Read the history of the models.

    Raises
    ------
    ReportError
        If a report cannot be read.
    ServiceUnavailableError
        If MLflow's database or server does not answer.
    """
    genre = summaries.history(GenreReport, SHOWN, source=database)
    full = summaries.history(FullTrainingReport, SHOWN, source=database)
    updates = summaries.history(IncrementalUpdateReport, SHOWN, source=database)
    trainings: list[summaries.Kept[Any]] = [*genre, *full, *updates]
    number = champions.read(settings, champions.CHALLENGER).get(NAME)
    evaluated = [
        f"{kept.written_at:%Y-%m-%d %H:%M} UTC: {kept.report.said}"
        for kept in summaries.history(OnlineReport, SHOWN, source=database)
        if kept.report.challenger
    ]
    return Models(
        champions=champions.read(settings),
        genre=genre_reports.trainings(genre),
        recommender=recommender_reports.trainings(full),
        updates=[
            Training.of(kept, updated.challenger["ndcg@10"], None, learned=updated.listens)
            for kept in updates
            if (updated := kept.report.updated)
        ],
        last={kept.run_id.partition("/")[0]: kept.report for kept in trainings},
        drift=_drift(database),
        challenger=f"{NAME}/{number}" if number else None,
        compared=evaluated[-1] if evaluated else None,
    )


def _drift(database: Database[Any]) -> list[tuple[str, datetime, float, str]]:
    """Compare each good run of the corpus with the good run before it, as the quality gate does."""
    passed = {
        kept.run_id for kept in summaries.history(GateReport, 3 * SHOWN, source=database) if kept.report.passed
    }
    runs = [
        kept
        for kept in summaries.history(CleaningReport, 3 * SHOWN, source=database)
        if kept.run_id in passed and kept.report.measured.tracks >= MIN_TRACKS
    ]
    found = []
    for before, now in pairwise(runs):
        distances = drift.compare(now.report.measured, before.report.measured).distances
        if distances:
            worst = max(distances, key=distances.__getitem__)
            found.append((now.run_id, now.written_at, distances[worst], worst))
    return found[-SHOWN:]
