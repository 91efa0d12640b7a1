"""A listener's recommendations as a document, in the form that MongoDB, Kafka and the API use."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pymongo.database import Database

from segue.listens import feedback
from segue.listens.history import History
from segue.listens.store import ListenStore
from segue.recommender.interactions import LOVE
from segue.recommender.serving.champion import Served
from segue.recommender.serving.recommend import Listener, Recommendation, Wishes, recommend

COLLECTION = "recommendations"
HATED, LOVED = -1, 1
"""Scores of feedback."""

SCHEMA_VERSION = 1

ASKED = 10_000
"""How many recordings are looked up by one query."""

Document = dict[str, Any]


def documents(
    served: Served, listeners: Mapping[str, Listener], *, now: float, wishes: Wishes
) -> Iterator[Document]:
    """Recommend to listeners, and yield each list as a document.

    Yields
    ------
    dict
        One for each of `listeners`, with ``_id`` (the listener's name), ``schema_version``, ``model_version``,
        ``generated_at`` and ``items``, best first. An item has:

        - rank, track_id, title, artist, score, reason (a sentence), sounds_like and sounds_like_title;
        - because: the played tracks that add most to the score, and how much each adds;
        - others: how much all other played tracks add;
        - popularity: how much the track's popularity adds.

        The score is the sum of the amounts in because, others and popularity.
    """
    lists = recommend(served.model, list(listeners.values()), now=now, wishes=wishes)
    for user_name, items in zip(listeners, lists, strict=True):
        yield {
            "_id": user_name,
            "schema_version": SCHEMA_VERSION,
            "model_version": served.version,
            "generated_at": datetime.fromtimestamp(now, UTC),
            "items": [_item(served, rank, item) for rank, item in enumerate(items, 1)],
        }


def listener_of(
    served: Served, history: History, hated: Iterable[str] = (), *, skip_weight: float = 0.0
) -> Listener:
    """Translate a history into positions in the catalogue. Plays of copies of a recording add up.

    Tracks that are not in the catalogue are left out, and so are the plays of hated tracks.

    Parameters
    ----------
    served
        The recommender whose catalogue is used.
    history
        What was played. A loved track counts `LOVE` plays more.
    hated
        Ids of tracks and of recordings, from :func:`hated_by`.
    skip_weight
        How many plays a skip counts as. With 0, skips are left out.
    """
    position = served.model.catalogue.position
    plays = _by_position(history.times, position)
    skips = _by_position(history.skips, position) if skip_weight else {}
    barred = dict.fromkeys(served.model.catalogue.positions(hated))
    tracks = [track for track in dict.fromkeys((*plays, *skips)) if track not in barred]
    loves = dict.fromkeys(served.model.catalogue.positions(history.loved), LOVE)
    heard = [(plays.get(track, ()), skips.get(track, ())) for track in tracks]
    counts = [len(played) + skip_weight * len(skipped) for played, skipped in heard]
    return Listener(
        np.array(tracks, dtype=np.int64),
        np.array([count + loves.get(at, 0) for at, count in zip(tracks, counts, strict=True)], dtype=np.float32),
        np.array([max(played + skipped) for played, skipped in heard], dtype=np.int64),
        list(barred),
    )


def _by_position(times: Mapping[str, tuple[int, ...]], position: Mapping[str, int]) -> dict[int, tuple[int, ...]]:
    """Merge the times of copies of a recording, which have one position in the catalogue."""
    found: dict[int, tuple[int, ...]] = {}
    for track, moments in times.items():
        at = position.get(track)
        if at is not None:
            found[at] = tuple({*found[at], *moments}) if at in found else moments
    return found


def history_of(database: Database[Document], user_name: str) -> History:
    """Read what a listener has played of the corpus, and what the listener loves."""
    return histories_of(database, [user_name])[user_name]


def histories_of(database: Database[Document], user_names: Iterable[str]) -> dict[str, History]:
    """Read the same of several listeners, by name, with one query for all that they love."""
    listens = ListenStore(database)
    histories = {name: listens.history(name) for name in user_names}
    loved = rated_by(database, [name for name, history in histories.items() if history.times], LOVED)
    for name, ids in loved.items():
        histories[name].loved = frozenset(ids)
    return histories


def hated_by(database: Database[Document], user_names: Iterable[str]) -> dict[str, set[str]]:
    """Read which tracks and recordings listeners hate: see :func:`rated_by`."""
    return rated_by(database, user_names, HATED)


def rated_by(database: Database[Document], user_names: Iterable[str], score: int) -> dict[str, set[str]]:
    """Read which tracks and recordings listeners hate, or which they love.

    Returns
    -------
    dict of str to set of str
        For each listener who has given such feedback: the ids of the recordings, and the ids of their tracks. A
        track belongs to a recording if it has the recording's id in the corpus, or if the listener has played it
        under this id.
    """
    rated: dict[str, set[str]] = {}
    listens = ListenStore(database)
    query = {"user_name": {"$in": list(user_names)}, "score": score}
    for said in database[feedback.COLLECTION].find(query):
        ids = (said.get("recording_mbid"), said.get("recording_msid"))
        rated.setdefault(said["user_name"], set()).update(str(uuid.UUID(each)) for each in ids if each)
    for user_name, recordings in rated.items():
        spelt = [*recordings, *map(str.upper, recordings)]
        for start in range(0, len(spelt), ASKED):  # a query is at most 16 MB
            some = spelt[start : start + ASKED]
            named = database["tracks"].find({"recording_mbid": {"$in": some}}, {"_id": 1})
            recordings |= {track["_id"] for track in named} | listens.tracks_played_as(user_name, some)
    return rated


def create_indexes(database: Database[Document]) -> None:
    """Create the indexes that :func:`rated_by` needs."""
    database[feedback.COLLECTION].create_index("user_name")
    database["tracks"].create_index("recording_mbid", sparse=True)


def _item(served: Served, rank: int, item: Recommendation) -> Document:
    catalogue, reason = served.model.catalogue, item.reason
    return {
        "rank": rank,
        "track_id": catalogue.track_ids[item.track],
        "title": catalogue.titles[item.track],
        "artist": catalogue.artists[item.track],
        "score": item.score,
        "reason": reason.sentence,
        "because": [
            {
                "track_id": catalogue.track_ids[at],
                "title": catalogue.titles[at],
                "artist": catalogue.artists[at],
                "adds": added,
            }
            for at, added in reason.contributions.items()
        ],
        "others": reason.others,
        "popularity": reason.popularity,
        "sounds_like": None if reason.sounds_like is None else catalogue.track_ids[reason.sounds_like],
        "sounds_like_title": None if reason.sounds_like is None else catalogue.titles[reason.sounds_like],
    }
