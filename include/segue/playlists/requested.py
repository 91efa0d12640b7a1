"""Playlists on request: radio, a path between two tracks, more of some and less of others, a genre, a mood.

They need no model, only the sound of the tracks. The same request from the same tracks gives the same list.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from segue.errors import PlaylistError
from segue.playlists import order
from segue.playlists.library import Library, Track
from segue.playlists.playlist import Entry, Playlist
from segue.playlists.rules import keep
from segue.tracks.moods import MOODS
from segue.tracks.nearest import Vectors

VERSION: Final = "sound"

DEPTH: Final = 8
"""So many times the wanted number of tracks are considered, because the rules leave some of them out."""

WAYPOINTS: Final = 16
BESIDE: Final = 40
"""A path is sought among the tracks nearest to so many places between its ends."""

OF_GENRE: Final = 5_000
OF_MOOD: Final = 2_000
"""At most so many tracks of a genre, and of a mood, are read."""

TYPICAL_S: Final = 240.0
"""Length of a track whose length is not known."""

Barred = frozenset[str]


def radio(library: Library, user_name: str, track_id: str, count: int, barred: Barred = frozenset()) -> Playlist:
    """Play what sounds like a track, which comes first.

    Raises
    ------
    PlaylistError
        As `Library.placed`.
    """
    seed, vector = library.placed(track_id)
    near = [track for track, _ in library.near(vector, DEPTH * count)]
    chosen = [seed, *keep(near, count, barred, given=[seed])[: count - 1]]
    entries = _in_order(library, chosen, f"Sounds like {seed.name}.", first=0)
    entries[0] = Entry(seed, "You asked for this track.")
    title = f"Radio: {seed.title or seed.track_id}"
    return Playlist(user_name, "radio", title, f"What sounds like {seed.name}.", entries, VERSION)


def path(
    library: Library, user_name: str, start: str, end: str, count: int, barred: Barred = frozenset()
) -> Playlist:
    """Go from one track to another in small steps, with at most `count` tracks.

    Raises
    ------
    PlaylistError
        As `Library.placed`. Also if both ends are the same recording.
    """
    (first, from_), (last, to) = library.placed(start), library.placed(end)
    if first.recording == last.recording:
        raise PlaylistError(f"Both ends of the path are the same recording, {first.name}. Choose two tracks.")
    shares = np.linspace(0, 1, WAYPOINTS, dtype=np.float32)[:, None]
    places = (1 - shares) * from_ + shares * to
    places /= np.maximum(np.linalg.norm(places, axis=1, keepdims=True), 1e-6)
    beside = [library.near(place, BESIDE) for place in places]
    ranked = [near[rank][0] for rank in range(BESIDE) for near in beside if rank < len(near)]
    between = keep({track.track_id: track for track in ranked}.values(), count, barred, given=[first, last])
    pool = [first, *between, last]
    apart = order.angles(library.index.vectors([track.track_id for track in pool]))
    way = order.path(apart, count)
    entries = [Entry(first, "The path begins here.")]
    for before, at in pairwise(way):
        entries.append(
            Entry(pool[at], f"A step of {np.degrees(apart[before, at]):.0f}° from the track before it.")
        )
    described = f"In small steps of sound from {first.name} to {last.name}."
    return Playlist(user_name, "path", f"From {first.title} to {last.title}", described, entries, VERSION)


def alchemy(
    library: Library,
    user_name: str,
    more: Sequence[str],
    less: Sequence[str],
    count: int,
    barred: Barred = frozenset(),
) -> Playlist:
    """Play what sounds like some tracks and unlike others. The given tracks themselves are left out.

    Raises
    ------
    PlaylistError
        As `Library.placed`. Also if `more` is empty.
    """
    if not more:
        raise PlaylistError("Name at least one track to have more of.")
    wanted, unwanted = [library.placed(each) for each in more], [library.placed(each) for each in less]
    direction = _mean([vector for _, vector in wanted])
    away = _mean([vector for _, vector in unwanted]) if unwanted else np.zeros_like(direction)
    aim = direction - away
    size = float(np.linalg.norm(aim))
    if size < 1e-6:
        raise PlaylistError("The tracks to have more of sound the same as those to have less of.")
    near = library.near((aim / size).astype(np.float32), DEPTH * count)
    vectors = library.index.vectors([track.track_id for track, _ in near])
    closer = vectors @ direction > vectors @ away if unwanted else np.ones(len(near), dtype=bool)
    given = [track for track, _ in (*wanted, *unwanted)]
    candidates = [track for (track, _), fits in zip(near, closer, strict=True) if fits]
    barred |= {track.recording for track in given}
    names = [" and ".join(track.name for track, _ in some[:3]) for some in (wanted, unwanted)]
    reason = f"More like {names[0]}" + (f", less like {names[1]}." if unwanted else ".")
    entries = _in_order(library, keep(candidates, count, barred)[:count], reason)
    return Playlist(user_name, "alchemy", "More and less", reason, entries, VERSION)


def genre(
    library: Library, user_name: str, name: str, minutes: float, barred: Barred = frozenset(), seed: str = ""
) -> Playlist:
    """Play a genre for at most so many minutes.

    Parameters
    ----------
    library, user_name, barred
        As for the others.
    name : str
        Genre, spelt as in the corpus.
    minutes : float
        The list is never longer. It is shorter if the genre has too few tracks.
    seed : str
        Chooses among the tracks of the genre, such as the day.

    Raises
    ------
    PlaylistError
        If no track has the genre.
    """
    found = library.of_genre(name, OF_GENRE)
    if not found:
        known = ", ".join(library.genres()[:30]) or "none"
        raise PlaylistError(f"No track has the genre {name!r}. The genres of the corpus: {known}.")
    _shuffle(found, user_name, name, seed)
    described = f"{name} for at most {minutes:g} minutes."
    entries = _in_order(library, _for_minutes(found, minutes, barred), f"Its genre is {name}.")
    return Playlist(user_name, "genre", f"{name}, {minutes:g} minutes", described, entries, VERSION)


def mood(
    library: Library, user_name: str, name: str, minutes: float, barred: Barred = frozenset(), seed: str = ""
) -> Playlist:
    """Play a mood for at most so many minutes. The parameters are those of `genre`.

    Raises
    ------
    PlaylistError
        If there is no such mood, or no track has it.
    """
    if name not in MOODS:
        raise PlaylistError(f"There is no mood {name!r}. The moods: {', '.join(MOODS)}.")
    track_ids = library.mood(name)
    if track_ids is None:
        raise PlaylistError(
            "The moods of the tracks were not found yet. The DAG `playlists` finds them every day."
        )
    if not track_ids:
        raise PlaylistError(
            "No track has the musical descriptors that moods are made of. Set SEGUE_AUDIO_MUSICAL=true, and run "
            "the DAGs `corpus` and `playlists`."
        )
    _shuffle(track_ids, user_name, name, seed)
    chosen = _for_minutes(list(library.tracks(track_ids[:OF_MOOD]).values()), minutes, barred)
    entries = [Entry(track, _measured(track)) for track in library.in_order(chosen)]
    described = f"For at most {minutes:g} minutes: {MOODS[name]}."
    return Playlist(user_name, "mood", f"{name.capitalize()}, {minutes:g} minutes", described, entries, VERSION)


def _shuffle(tracks: list[Any], user_name: str, name: str, seed: str) -> None:
    random.Random(f"{user_name}/{name}/{seed}").shuffle(tracks)  # noqa: S311 - it is a choice, not a secret


def _for_minutes(found: Sequence[Track], minutes: float, barred: Barred) -> list[Track]:
    """Choose the first tracks that may be together and last at most so many minutes."""
    if not found:
        return []
    left_s, chosen = 60 * minutes, []
    expected = max(1, round(left_s / _typical_s(found)))
    for track in keep(found, expected, barred):
        if (track.duration_s or TYPICAL_S) <= left_s:
            left_s -= track.duration_s or TYPICAL_S
            chosen.append(track)
    return chosen


def _measured(track: Track) -> str:
    """Return some musical descriptors of a track, such as ``96 beats a minute, G minor, -14 LUFS``, with a dot."""
    known = (
        f"{track.tempo_bpm:.0f} beats a minute" if track.tempo_bpm is not None else "",
        f"{track.key_tonic} {track.key_mode}" if track.key_tonic and track.key_mode else "",
        f"{track.loudness_lufs:.0f} LUFS" if track.loudness_lufs is not None else "",
    )
    return ", ".join(filter(None, known)) + "."


def _mean(vectors: Sequence[Vectors]) -> Vectors:
    mean = np.mean(vectors, axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), dtype=np.float32)


def _typical_s(tracks: Sequence[Track]) -> float:
    return float(np.median([track.duration_s or TYPICAL_S for track in tracks]))


def _in_order(library: Library, tracks: Sequence[Track], reason: str, first: int | None = None) -> list[Entry]:
    return [Entry(track, reason) for track in library.in_order(tracks, first)]
