"""Credit the plays of recommended tracks to the models that have picked them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta

from segue.recommender.online.interleaving import Team
from segue.recommender.online.served_lists import ServedList

CREDITED = timedelta(days=7)
"""A play counts for a list that was served at most this long before it."""


def credit(lists: Iterable[ServedList], plays: Mapping[str, Iterable[int]]) -> Counter[Team]:
    """Count the tracks that a listener has played because of each model.

    A track counts once, by its first play within `CREDITED` after a list with it was served. It counts for the
    team of the latest such list.

    Parameters
    ----------
    lists : iterable of ServedList
        Interleaved lists of one listener, oldest first.
    plays : mapping of str to iterable of int
        When the listener has played each track, in seconds since 1970.

    Returns
    -------
    Counter of Team
        Number of tracks.
    """
    served: dict[str, list[tuple[float, Team | None]]] = {}
    for each in lists:
        at = each.served_at.timestamp()
        for track, team in zip(each.track_ids, each.teams, strict=True):
            served.setdefault(track, []).append((at, team))
    credited = Counter[Team]()
    for track, offers in served.items():
        for play in sorted(plays.get(track, ())):
            before = [(at, team) for at, team in offers if 0 <= play - at <= CREDITED.total_seconds()]
            if before:
                team = before[-1][1]
                credited.update([team] if team else [])
                break
    return credited
