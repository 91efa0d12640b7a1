"""What a listener has played of the corpus. Recommendations are made from this history."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from segue.listens.events import Listen
from segue.listens.removals import user_key

KEPT_LISTENS = 500_000
"""Number of listens kept in memory, some 100 MB. If one listener has more, only this listener's are kept."""

KEPT_S = 300.0
"""After so many seconds a listener's history is read again, because other processes write to MongoDB too."""


@dataclass
class History:
    """The plays and skips of a listener. Both map track ids to times in seconds since 1970, without duplicates.

    `loved` has the ids of the tracks and of the recordings that the listener loves.
    """

    times: dict[str, tuple[int, ...]] = field(default_factory=dict)
    skips: dict[str, tuple[int, ...]] = field(default_factory=dict)
    loved: frozenset[str] = frozenset()
    read_at: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, plays: Iterable[tuple[str, int]], skips: Iterable[tuple[str, int]] = ()) -> History:
        """Create a history from plays and skips, each a track id and a time."""
        return cls(_by_track(plays), _by_track(skips))

    def __len__(self) -> int:
        """Count the plays, the skips and what is loved. The memory that a history takes grows with this number."""
        return sum(map(len, (*self.times.values(), *self.skips.values()))) + len(self.loved)

    def add(self, track_id: str, listened_at: int, *, skipped: bool = False) -> bool:
        """Add a play or a skip; return False if it was there already."""
        times = self.skips if skipped else self.times
        moments = times.get(track_id, ())
        if listened_at in moments:
            return False
        times[sys.intern(track_id)] = (*moments, listened_at)
        return True


def _by_track(listens: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    times: dict[str, set[int]] = {}
    for track_id, at in listens:
        times.setdefault(sys.intern(track_id), set()).add(at)
    # Thousands of listeners are kept, and a tuple takes a third of the memory of a set.
    return {track_id: tuple(sorted(moments)) for track_id, moments in times.items()}


class HistoryCache:
    """The histories of the listeners seen last, in memory.

    Parameters
    ----------
    read
        Reads the history of one listener, as :meth:`segue.listens.store.ListenStore.history` does.
    """

    def __init__(self, read: Callable[[str], History]) -> None:
        self._read = read
        self._kept: OrderedDict[str, History] = OrderedDict()  # by `user_key`
        self._kept_listens = 0

    def of(self, user_name: str) -> History:
        """Return a listener's history; it is empty if they have played nothing of the corpus."""
        key = user_key(user_name)
        kept = self._kept.get(key)
        if kept is None or time.monotonic() - kept.read_at > KEPT_S:
            self.forget([key])
            kept = self._kept[key] = self._read(user_name)
            self._kept_listens += len(kept)
            while self._kept_listens > KEPT_LISTENS and len(self._kept) > 1:
                self.forget([next(iter(self._kept))])
        self._kept.move_to_end(key)
        return kept

    def add(self, events: Iterable[Listen]) -> None:
        """Add stored listens to the histories that are in memory."""
        for event in events:
            kept = self._kept.get(user_key(event.user_name))
            if kept is not None and event.track_id is not None:
                self._kept_listens += kept.add(event.track_id, event.listened_at, skipped=bool(event.skipped))

    def forget(self, user_keys: Iterable[str] | None = None) -> None:
        """Drop the histories of some users, given by `user_key`, or of all. They are read again when needed."""
        for key in list(self._kept) if user_keys is None else user_keys:
            if (kept := self._kept.pop(key, None)) is not None:
                self._kept_listens -= len(kept)
