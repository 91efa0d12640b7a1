"""Make the daily playlists of all listeners. Making them again replaces them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from pymongo.database import Database

from segue.connections.registry import Registry
from segue.listens.history import History
from segue.listens.removals import Removals
from segue.listens.store import ListenStore
from segue.playlists.daily import DISCOVERIES, JAMS, KINDS, WISHES, of_recommendations, on_repeat
from segue.playlists.library import Library
from segue.playlists.playlist import Playlist
from segue.playlists.rules import barred_for
from segue.playlists.store import PlaylistStore
from segue.recommender.model import NAME, Recommender
from segue.recommender.serving.batch import pages_of
from segue.recommender.serving.champion import Served
from segue.recommender.serving.lists import documents, hated_by, histories_of, listener_of
from segue.runs.progress import parts
from segue.runs.summaries import Report
from segue.settings import Settings
from segue.tracks.nearest import LiveSounds

RECOMMENDED: Final = (JAMS, DISCOVERIES)


class PlaylistsReport(Report):
    """What the DAG `playlists` has made.

    Attributes
    ----------
    listeners : int
        Listeners with an account or with recommendations.
    playlists : dict of str to int
        Number of stored playlists by kind.
    model_version : str or None
        None if no recommender serves. Then only *on repeat* is made.
    removed : int
        Playlists of users who are no longer among the listeners.
    seconds : float
    """

    JOB: ClassVar[str] = "playlists"

    listeners: int
    playlists: dict[str, int]
    model_version: str | None = None
    removed: int = 0
    seconds: float

    def sentence(self) -> str:
        """Return how many playlists were made."""
        made = ", ".join(f"{count:,} {kind}" for kind, count in self.playlists.items())
        without = "" if self.model_version else " No recommender serves yet, so nothing was recommended."
        return f"{self.listeners:,} listeners have {made} in the collection `playlists`.{without}"


def run(settings: Settings, database: Database[dict[str, Any]]) -> PlaylistsReport:
    """Make the daily playlists with the champion of the registry.

    Raises
    ------
    ModelError
        If there is a champion that cannot be loaded.
    """
    champion = Registry(settings).champion(NAME)
    served = Served(str(champion), Recommender.fetch(champion)) if champion else None
    sounds = LiveSounds(database)
    sounds.refresh()
    return make_all(database, Library(database, sounds.index), served, skip_weight=settings.skip_weight)


def make_all(
    database: Database[dict[str, Any]], library: Library, served: Served | None, *, skip_weight: float = 0.0
) -> PlaylistsReport:
    """Replace the daily playlists of all listeners.

    Parameters
    ----------
    database
        The corpus' database.
    library : Library
    served : Served or None
        The recommender that serves. Without one, only *on repeat* is made.
    skip_weight : float
        As in `segue.recommender.serving.lists.listener_of`.
    """
    began = time.time()
    store, removals = PlaylistStore(database), Removals(database)
    store.create_indexes()
    listeners = sorted(
        {each["_id"] for name in ("accounts", "recommendations") for each in database[name].find({}, {"_id": 1})}
    )
    counts = dict.fromkeys(KINDS, 0)
    pages = list(pages_of(listeners))
    for names in parts(pages, len(pages), f"Making playlists for {len(listeners):,} listeners"):
        for name, made in _of_page(database, library, served, names, began, skip_weight):
            store.replace(made)
            for playlist in made:
                counts[playlist.kind] += bool(playlist.entries)
            # A user who was forgotten meanwhile must not come back.
            if removals.forgotten([name]) and not ListenStore(database).has_listens(name):
                store.remove_user(name)
    return PlaylistsReport(
        listeners=len(listeners),
        playlists=counts,
        model_version=served and served.version,
        removed=store.remove_older(began),
        seconds=time.time() - began,
    )


def _of_page(
    database: Database[dict[str, Any]],
    library: Library,
    served: Served | None,
    names: Sequence[str],
    now: float,
    skip_weight: float,
) -> Iterator[tuple[str, list[Playlist]]]:
    hated = hated_by(database, names)
    histories = histories_of(database, names)
    barred = {name: barred_for(library, histories[name], hated.get(name, ()), now) for name in names}
    recommended = _recommended(served, histories, barred, now, skip_weight) if served else {}
    for name in names:
        if not len(histories[name]):
            continue  # the recommendations of somebody who has played nothing are the same for all
        chosen = [
            of_recommendations(library, kind, of_kind[name], barred[name], now)
            for kind, of_kind in recommended.items()
        ]
        yield name, [*chosen, on_repeat(library, name, histories[name], barred[name], now)]


def _recommended(
    served: Served,
    histories: Mapping[str, History],
    barred: Mapping[str, frozenset[str]],
    now: float,
    skip_weight: float,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Rank the catalogue for listeners. Return the documents by kind and listener."""
    listeners = {
        name: listener_of(served, history, barred[name], skip_weight=skip_weight)
        for name, history in histories.items()
    }
    return {
        kind: {each["_id"]: each for each in documents(served, listeners, now=now, wishes=WISHES[kind])}
        for kind in RECOMMENDED
    }
