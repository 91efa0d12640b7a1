"""The playlists that every listener gets each day: daily jams, discoveries, and on repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from segue.listens.history import History
from segue.playlists.library import Library
from segue.playlists.playlist import Entry, Playlist
from segue.playlists.rules import keep, per_artist
from segue.recommender.serving.recommend import Wishes
from segue.recommender.serving.rules import DAY_S
from segue.recommender.serving.short_reasons import in_short

COUNT: Final = 40
"""Length of a daily playlist."""

DEPTH: Final = 2
"""So many times `COUNT` tracks are ranked, because the rules leave some of them out."""

JAMS: Final = "daily-jams"
DISCOVERIES: Final = "discoveries"
ON_REPEAT: Final = "on-repeat"
KINDS: Final = (JAMS, DISCOVERIES, ON_REPEAT)

WISHES: Final = {
    JAMS: Wishes(count=DEPTH * COUNT, discover=0.5, recent_days=2, per_artist=DEPTH * per_artist(COUNT)),
    DISCOVERIES: Wishes(count=DEPTH * COUNT, discover=1.0, per_artist=DEPTH * per_artist(COUNT)),
}
"""What the recommender is asked for."""

TITLES: Final = {
    JAMS: ("Daily jams", "Half familiar and half new, ordered so that neighbours sound alike."),
    DISCOVERIES: ("Discoveries", "What you have never played and may like, the best first."),
    ON_REPEAT: ("On repeat", "What you have played most in the last 30 days."),
}

REPEAT_DAYS: Final = 30
MIN_PLAYS: Final = 2
"""A track is on repeat if it was played so often in `REPEAT_DAYS` days."""


def of_recommendations(
    library: Library, kind: str, recommended: dict[str, Any], barred: frozenset[str], now: float
) -> Playlist:
    """Make daily jams or discoveries of a list of recommendations.

    Parameters
    ----------
    library : Library
    kind : str
        `JAMS` or `DISCOVERIES`.
    recommended : dict
        From `segue.recommender.serving.lists.documents`, for the wishes of `WISHES`.
    barred : frozenset of str
        From `segue.playlists.rules.barred_for`.
    now : float
        Seconds since 1970.
    """
    reasons = {item["track_id"]: f"{in_short(item)}." for item in recommended["items"]}
    chosen = keep(library.tracks(list(reasons)).values(), COUNT, barred)[:COUNT]
    if kind == JAMS:
        chosen = library.in_order(chosen)
    entries = [Entry(track, reasons[track.track_id]) for track in chosen]
    return Playlist(recommended["_id"], kind, *TITLES[kind], entries, recommended["model_version"], now)


def on_repeat(library: Library, user_name: str, history: History, barred: frozenset[str], now: float) -> Playlist:
    """List what a listener has played most in the last `REPEAT_DAYS` days. Plays of copies add up."""
    since = now - REPEAT_DAYS * DAY_S
    recent = {track: _since(times, since) for track, times in history.times.items()}
    tracks = library.tracks([track for track, times in recent.items() if times])
    plays = Counter[str]()
    for track in tracks.values():
        plays[track.recording] += recent[track.track_id]
    often = [track for track in tracks.values() if plays[track.recording] >= MIN_PLAYS]
    often.sort(key=lambda track: (-plays[track.recording], track.track_id))
    chosen = keep(often, COUNT, barred)[:COUNT]
    entries = [
        Entry(track, f"You played it {plays[track.recording]} times in the last {REPEAT_DAYS} days.")
        for track in chosen
    ]
    return Playlist(user_name, ON_REPEAT, *TITLES[ON_REPEAT], entries, "plays", now)


def _since(times: Sequence[int], since: float) -> int:
    return sum(at > since for at in times)
