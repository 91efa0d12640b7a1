"""Interleave two lists by team draft (Radlinski, Kurup and Joachims 2008).

The two models pick in rounds. In each round a coin says which model picks first, and each picks its best track
that is not in the list yet. A listener who plays more tracks of one team than of the other prefers that team. If
neither model is better, both teams have the same chance of every play.

Only rounds in which both models pick have teams. Otherwise the model that has more tracks left would have more of
the plays.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

from segue.listens.plays import recording_msid

Item = dict[str, Any]


class Team(StrEnum):
    """The model that has picked a track."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


def team_draft(
    champion: Sequence[Item], challenger: Sequence[Item], coins: random.Random, *, count: int, per_artist: int
) -> list[tuple[Item, Team | None]]:
    """Interleave two lists.

    Parameters
    ----------
    champion, challenger : sequence of dict
        Items of recommendations, best first.
    coins : random.Random
    count : int
        Length of the result. It is shorter if the two lists have fewer different recordings.
    per_artist : int
        Largest number of tracks by one artist.

    Returns
    -------
    list of (dict, Team or None)
        None for tracks of a last round in which only one of the models could pick.
    """
    draft = _Draft(per_artist)
    queues = {Team.CHAMPION: draft.free(champion), Team.CHALLENGER: draft.free(challenger)}
    drafted: list[tuple[Item, Team | None]] = []
    while len(drafted) + 1 < count:
        first, second = coins.sample((Team.CHAMPION, Team.CHALLENGER), 2)
        picked = [(team, draft.pick(queues[team])) for team in (first, second)]
        pair = [(item, team) for team, item in picked if item is not None]
        if len(pair) < 2:
            drafted += [(item, None) for item, _ in pair]
            break
        drafted += pair
    for queue in queues.values():
        while len(drafted) < count and (item := draft.pick(queue)) is not None:
            drafted.append((item, None))
    return drafted


class _Draft:
    """The tracks that are taken, and how many of each artist."""

    def __init__(self, per_artist: int) -> None:
        self._per_artist = per_artist
        self._taken: set[str] = set()
        self._artists: Counter[str] = Counter()

    def free(self, items: Sequence[Item]) -> Iterator[Item]:
        """Yield the items that are not taken when they are asked for."""
        for item in items:
            if self._taken.isdisjoint(_ids(item)) and self._artists[_artist(item)] < self._per_artist:
                yield item

    def pick(self, queue: Iterator[Item]) -> Item | None:
        """Take the next free item of a list; None if there is none."""
        item = next(queue, None)
        if item is not None:
            self._taken.update(_ids(item))
            self._artists[_artist(item)] += 1
        return item


def _artist(item: Item) -> str:
    """Return the artist. A track without one counts as the only track of its artist."""
    return item.get("artist") or str(item["track_id"])


def _ids(item: Item) -> set[str]:
    """Return the ids of a track and of its recording, which two catalogues may know by different tracks."""
    artist, title = item.get("artist"), item.get("title")
    return {item["track_id"], *([recording_msid(artist, title, None)] if artist and title else [])}
