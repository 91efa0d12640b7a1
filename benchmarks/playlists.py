"""Describe the daily playlists of a stack's listeners, and compare their order with other orders.

    .venv/bin/python benchmarks/playlists.py [--listeners 200]

The benchmark needs a stack (`segue up`) in which the DAG `playlists` has run. It only reads. For each kind of
playlist it prints the share of recordings that come twice, of tracks by the most frequent artist, and of tracks
that the listener had played before. For each order it prints the mean angle between the sounds of neighbours:

- as it is: daily jams are in Segue's order, the others are not ordered by sound;
- random: the mean of some shuffles;
- nearest first: from the same first track always to the nearest one that is left.

Intervals are those of the mean over listeners (95 %, Student's t, paired for differences).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import stats

from segue.connections.mongo import database
from segue.listens.store import ListenStore
from segue.playlists import order
from segue.playlists.daily import KINDS
from segue.playlists.library import Library
from segue.playlists.playlist import Playlist
from segue.playlists.store import PlaylistStore, playlist_of
from segue.tracks.nearest import LiveSounds

SHUFFLES = 20
FEWEST = 5
"""Playlists with fewer tracks that have a place are left out."""


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=200, help="listeners to draw; default 200")
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    console, drawn = Console(), np.random.default_rng(options.seed)
    with database() as opened:
        sounds = LiveSounds(opened)
        sounds.refresh()
        library, listens = Library(opened, sounds.index), ListenStore(opened)
        names = sorted(opened["playlists"].distinct("user_name"))
        chosen = sorted(drawn.choice(names, min(options.listeners, len(names)), replace=False).tolist())
        shares: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
        steps: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
        for name in chosen:
            played = set(listens.history(name).times)
            for document in PlaylistStore(opened).of_user(name):
                made = playlist_of(document, library)
                if len(made.entries) >= FEWEST:
                    shares[made.kind].append(_shares(made, played))
                    steps[made.kind] += _steps(made, library, drawn)
    console.print(f"{len(chosen):,} of {len(names):,} listeners, {len(sounds.index):,} tracks with a sound")
    of_lists = Table("playlist", "lists", "recordings twice", "largest share of an artist", "played before")
    for kind, rows in shares.items():
        of_lists.add_row(kind, f"{len(rows):,}", *(_mean(column, "{:.1%}") for column in np.array(rows).T))
    console.print(of_lists)
    of_orders = Table("playlist", "as it is", "random", "nearest first", "random - as it is", "nearest - as it is")
    for kind, rows in steps.items():
        if rows:
            own, shuffled, nearest = np.degrees(rows).T
            cells = (own, shuffled, nearest, shuffled - own, nearest - own)
            of_orders.add_row(kind, *(_mean(cell, "{:.1f}°") for cell in cells))
    console.print(of_orders)


def _shares(made: Playlist, played: set[str]) -> list[float]:
    tracks = [entry.track for entry in made.entries]
    recordings, artists = {each.recording for each in tracks}, Counter(each.artist.casefold() for each in tracks)
    before = sum(bool(each.ids & played) for each in tracks)
    return [1 - len(recordings) / len(tracks), max(artists.values()) / len(tracks), before / len(tracks)]


def _steps(made: Playlist, library: Library, drawn: np.random.Generator) -> list[list[float]]:
    """Return the mean step of three orders in radians, if enough tracks have a place."""
    ids = [entry.track.track_id for entry in made.entries if entry.track.track_id in library.index]
    if len(ids) < FEWEST:
        return []
    apart = order.angles(library.index.vectors(ids))
    count = len(ids)
    shuffled = [order.length(drawn.permutation(count).tolist(), apart) for _ in range(SHUFFLES)]
    lengths = (order.length([*range(count)], apart), np.mean(shuffled), order.length(_nearest_first(apart), apart))
    return [[float(length) / (count - 1) for length in lengths]]


def _nearest_first(apart: order.Angles) -> list[int]:
    found, left = [0], set(range(1, len(apart)))
    while left:
        found.append(min(left, key=lambda at: apart[found[-1], at]))
        left.remove(found[-1])
    return found


def _mean(values: Sequence[float] | NDArray[np.float64], form: str) -> str:
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else float("nan")
    return f"{form.format(np.mean(values))} ± {form.format(half)}"


if __name__ == "__main__":
    main()
