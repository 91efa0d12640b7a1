"""How a challenger compares with the champion, by the plays of the listeners who take part.

The advantage is (plays of the challenger's picks − plays of the champion's) / (plays of both): 0 if neither is
better, 1 if only the challenger's picks are played. Its bounds hold however often somebody looks, so the
comparison may be decided as soon as they say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from pymongo.database import Database

from segue.listens.store import ListenStore
from segue.recommender.confidence_sequence import bounds, clusters_of, deviations, of_few
from segue.recommender.online.interleaving import Team
from segue.recommender.online.plays import credit
from segue.recommender.online.served_lists import ServedLists
from segue.runs.progress import parts

ERROR = 0.05
"""Probability that a comparison of two equal models is decided, however often somebody looks."""

FEWEST = 50
"""Nothing is decided before this many listeners have played recommended tracks."""


class Verdict(StrEnum):
    """What a comparison shows."""

    BETTER = "the challenger is better"
    WORSE = "the champion is better"
    OPEN = "no difference is shown yet"


@dataclass(frozen=True)
class Comparison:
    """The plays of recommended tracks in a comparison.

    Parameters
    ----------
    champion, challenger : sequence of int, shape (n_listeners,)
        For each listener who takes part, the tracks played of either model's picks.
    """

    champion: Sequence[int] = ()
    challenger: Sequence[int] = ()

    @classmethod
    def of(cls, credited: Sequence[Mapping[Team, int]]) -> Comparison:
        """Make a comparison of each listener's credits."""
        sides = ([each.get(team, 0) for each in credited] for team in (Team.CHAMPION, Team.CHALLENGER))
        return cls(*sides)

    @property
    def listeners(self) -> int:
        """How many listeners have been served interleaved lists."""
        return len(self.champion)

    @property
    def plays(self) -> tuple[int, int]:
        """How many tracks of the champion's and of the challenger's picks were played."""
        return sum(self.champion), sum(self.challenger)

    def advantage(self) -> tuple[float, float, float]:
        """Return the challenger's advantage and its bounds, which are infinite if too little is known."""
        of_champion, of_challenger = (np.array(side, dtype=float) for side in (self.champion, self.challenger))
        gained, plays = of_challenger - of_champion, of_challenger + of_champion
        away = of_few(deviations(plays.sum(), ERROR / 2), clusters_of(gained, plays))
        return bounds(gained, plays, away=away, fewest=FEWEST)

    def verdict(self) -> Verdict:
        """Decide by the bounds."""
        _, low, high = self.advantage()
        if low > 0:
            return Verdict.BETTER
        return Verdict.WORSE if high < 0 else Verdict.OPEN

    def in_words(self) -> str:
        """Say what the comparison shows, in a sentence without its full stop."""
        mean, low, high = self.advantage()
        of_champion, of_challenger = self.plays
        counted = (
            f"{self.listeners:,} listeners were served both; they have played {of_challenger:,} of the tracks "
            f"that the challenger has picked, and {of_champion:,} of those that the champion has picked"
        )
        if not np.isfinite(low):
            return f"{counted}: too little to decide"
        return f"{counted}, an advantage of {mean:+.1%} ({low:+.1%} to {high:+.1%}): {self.verdict()}"


def read(database: Database[dict[str, Any]], comparison: str) -> Comparison:
    """Read what a comparison has come to.

    Parameters
    ----------
    database
        The corpus' database.
    comparison : str
        Its name: see :func:`segue.recommender.online.assignment.name_of`.
    """
    lists, listens = ServedLists(database), ListenStore(database)
    names = lists.listeners(comparison)
    counted = parts(names, len(names), f"Counting what {len(names):,} listeners have played")
    return Comparison.of(
        [credit(lists.interleaved(comparison, name), listens.history(name).times) for name in counted]
    )
