"""Decide a comparison as soon as its bounds allow it: the better version serves, and the comparison ends."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from pymongo.database import Database

from segue.connections import champions
from segue.recommender.model import NAME
from segue.recommender.online import comparison
from segue.recommender.online.assignment import name_of
from segue.recommender.online.comparison import Comparison, Verdict
from segue.recommender.online.served_lists import ServedLists
from segue.recommender.online.serving import COLLECTION as INTERLEAVED
from segue.recommender.reports import OnlineReport
from segue.runs import summaries

if TYPE_CHECKING:
    from segue.connections.model_version import Version
    from segue.connections.registry import Registry
    from segue.settings import Settings


def decide(run_id: str, database: Database[dict[str, Any]], settings: Settings, now: datetime) -> OnlineReport:
    """Evaluate the comparison with the challenger, if there is one, and end it if it is decided.

    A challenger that is better becomes the champion. The report is stored before anything is changed, so a run
    that was killed in between still has it. Served lists of earlier comparisons are deleted when they are old.

    Parameters
    ----------
    run_id : str
        Where the report is stored: ``<dag_id>/<run_id>``.
    database
        The corpus' database.
    settings : Settings
    now : datetime
        In UTC.
    """
    registry, challenger = _challenger(settings)
    ServedLists(database).remove_old(now, name_of(challenger) if challenger else None)
    if registry is None or challenger is None:
        database[INTERLEAVED].delete_many({})
        if before := summaries.find(run_id, OnlineReport, source=database):
            return before  # a task that was cleared, or killed after it had decided
        return _keep(run_id, database, OnlineReport(said="No challenger is compared with the champion."))
    found = comparison.read(database, name_of(challenger))
    verdict, champion = found.verdict(), registry.champion(NAME)
    will = {
        Verdict.BETTER: f"It becomes the champion, in place of {champion}.",
        Verdict.WORSE: "The comparison ends, and the champion stays.",
        Verdict.OPEN: "The comparison goes on.",
    }
    report = _keep(run_id, database, _report(challenger, found, will[verdict]))
    if verdict is not Verdict.OPEN and not registry.end_challenge(challenger, promote=verdict is Verdict.BETTER):
        changed = "Meanwhile somebody has changed the challenger, so nothing was done."
        return _keep(run_id, database, _report(challenger, found, changed))
    return report


def _challenger(settings: Settings) -> tuple[Registry | None, Version | None]:
    """Look up the challenger. MLflow is loaded only if there is one."""
    if NAME not in champions.read(settings, champions.CHALLENGER):
        return None, None
    from segue.connections.registry import Registry

    registry = Registry(settings)
    return registry, registry.challenger(NAME)


def _report(challenger: Version, found: Comparison, done: str) -> OnlineReport:
    advantage = found.advantage()
    return OnlineReport(
        challenger=str(challenger),
        listeners=found.listeners,
        plays=found.plays,
        advantage=advantage if np.isfinite(advantage).all() else None,
        said=f"The challenger {challenger}: {found.in_words()}. {done}",
    )


def _keep(run_id: str, database: Database[dict[str, Any]], report: OnlineReport) -> OnlineReport:
    summaries.keep(run_id, report, into=database)
    return report
