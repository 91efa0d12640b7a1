"""Decide a comparison as soon as its bounds allow it: the better version serves, and the comparison ends."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from pymongo.database import Database

from segue.connections import champions
from segue.recommender.model import NAME
from segue.recommender.online import comparison
from segue.recommender.online.comparison import Comparison, Verdict
from segue.recommender.online.served_lists import ServedLists
from segue.recommender.reports import OnlineReport

if TYPE_CHECKING:
    from segue.connections.registry import Registry
    from segue.settings import Settings


def decide(database: Database[dict[str, Any]], settings: Settings, now: datetime) -> OnlineReport:
    """Evaluate the comparison with the challenger, if there is one, and end it if it is decided.

    A challenger that is better becomes the champion, whose recipe the next full training fits again. Served lists
    that are too old to count are deleted.

    Parameters
    ----------
    database
        The corpus' database.
    settings : Settings
    now : datetime
        In UTC.
    """
    ServedLists(database).remove_old(now)
    number = champions.read(settings, champions.CHALLENGER).get(NAME)
    if number is None:
        return OnlineReport(said="No challenger is compared with the champion.")
    challenger = f"{NAME}/{number}"
    found = comparison.read(database, challenger)
    return report(challenger, found, _done(settings, found.verdict()))


def report(challenger: str, found: Comparison, done: str) -> OnlineReport:
    """Report what a comparison has come to, and what was done."""
    advantage = found.advantage()
    return OnlineReport(
        challenger=challenger,
        listeners=found.listeners,
        plays=found.plays,
        advantage=advantage if np.isfinite(advantage).all() else None,
        said=f"The challenger {challenger}: {found.in_words()}. {done}",
    )


def _done(settings: Settings, verdict: Verdict) -> str:
    """Act on a verdict, and say what was done."""
    if verdict is Verdict.OPEN:
        if not settings.challenger_share:
            return "SEGUE_CHALLENGER_SHARE is 0, so nobody is served its tracks any more."
        return "The comparison goes on."
    from segue.connections.registry import Registry  # it loads MLflow

    return _end(Registry(settings), verdict)


def _end(registry: Registry, verdict: Verdict) -> str:
    challenger, before = registry.challenger(NAME), registry.champion(NAME)
    if challenger is not None and verdict is Verdict.BETTER:
        registry.promote(challenger)
    registry.end_challenge(NAME)
    if challenger is not None and verdict is Verdict.BETTER:
        return f"It is the champion now, in place of {before}, and the comparison has ended."
    return "The comparison has ended, and the champion stays."
