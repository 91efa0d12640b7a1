"""Describe the daily playlists of simulated listeners, and compare their order with other orders.

    .venv/bin/python benchmarks/playlists.py [--tracks 5000] [--listeners 200] [--listens 40000]

It starts a document server of its own in a temporary folder. The tracks are made up: 16 genres, artists of eight
tracks, and one track of twenty is a copy of another one. Simulated listeners play them for 60 days. The
recommender has the components that need no Spark (item cosine, popularity, sound), with equal weights; its lists
are not as good as those of a tuned one. Everything after it is what the DAG `playlists` runs.

For each kind of playlist it prints the share of recordings that come twice, of tracks by the most frequent artist,
and of tracks that the listener had played before. For each order it prints the mean angle between the sounds of
neighbours:

- as it is: daily jams are in Segue's order, the others are not ordered by sound;
- random: the mean of some shuffles;
- nearest first: from the same first track always to the nearest one that is left.

Intervals are those of the mean over listeners (95 %, Student's t, paired for differences).
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from killed import own_stack
from numpy.typing import NDArray
from pymongo import MongoClient
from pymongo.database import Database
from rich.console import Console
from rich.table import Table
from scipy import sparse, stats

from segue.audio.definition import N_FEATURES
from segue.demo.listeners import Audience, CorpusTrack
from segue.listens.store import INDEXES, ListenStore
from segue.playlists import order
from segue.playlists.daily import KINDS
from segue.playlists.library import Library
from segue.playlists.making import make_all
from segue.playlists.playlist import Playlist
from segue.playlists.store import PlaylistStore, playlist_of
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.neighbours import cosine
from segue.recommender.components.popularity import Popularity
from segue.recommender.components.sound import alike
from segue.recommender.model import Catalogue, Recommender
from segue.recommender.recipe import Recipe
from segue.recommender.serving.champion import Served
from segue.tracks import sounds
from segue.tracks.nearest import LiveSounds
from segue.tracks.vectors import pack

SHUFFLES = 20
FEWEST = 5
"""Playlists with fewer tracks that have a place are left out."""

GENRES, PER_ARTIST, COPIES = 16, 8, 20
DAY, DAYS = "2026-01-01", 60
KEPT = 200


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=5_000)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--listens", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    with own_stack(["mongo"]) as settings, MongoClient[dict[str, Any]](settings.mongo, tz_aware=True) as client:
        database = client[settings.mongo_database]
        features = publish(database, options.tracks, random)
        let_play(database, features, options.listeners, options.listens, options.seed)
        live = LiveSounds(database)
        live.refresh()
        library, began_s = Library(database, live.index), time.process_time()
        report = make_all(database, library, trained(database, library))
        spent_s = time.process_time() - began_s
        print(f"{report.sentence()} {spent_s:.0f} s of CPU in this process, training included.")
        describe(database, library, random)


def publish(database: Database[dict[str, Any]], count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Insert made-up tracks, place them in the space of sound, and return their features."""
    artist = np.arange(count) // PER_ARTIST
    genre = artist % GENRES
    kinds = random.normal(size=(GENRES, N_FEATURES))
    artists = random.normal(0, 0.6, (artist[-1] + 1, N_FEATURES))
    copied = [i - 1 if i % COPIES == 1 else i for i in range(count)]
    features = (kinds[genre] + artists[artist] + random.normal(0, 2.4, (count, N_FEATURES))).astype(np.float32)
    features = features[copied]
    database["tracks"].insert_many(
        {
            "_id": f"t{i:06}",
            "title": f"Title {recording}",
            "artist": f"Artist {artist[recording]}",
            "genre": f"Genre {genre[i]}",
            "recording": f"t{recording:06}",
            "duration_s": 200.0,
            "partition_date": DAY,
            "features": packed,
        }
        for i, (recording, packed) in enumerate(zip(copied, pack(features), strict=True))
    )
    database["announced"].insert_one({"_id": DAY, "day": DAY, "tracks": count, "digest": 1})
    sounds.update(database)
    return features


def let_play(
    database: Database[dict[str, Any]], features: NDArray[np.float32], listeners: int, listens: int, seed: int
) -> None:
    """Let simulated listeners play the tracks, and store what they played."""
    tracks = [
        CorpusTrack(f"t{i:06}", f"Title {i}", f"Genre {i // PER_ARTIST % GENRES}", row)
        for i, row in enumerate(features)
    ]
    audience = Audience(tracks, listeners=listeners, seed=seed)
    now = datetime.now(UTC)
    database["listens"].create_indexes(list(INDEXES))
    ListenStore(database).put(audience.play(events=listens, start=now - timedelta(days=DAYS), end=now))
    database["accounts"].insert_many({"_id": person.name} for person in audience.listeners)


def trained(database: Database[dict[str, Any]], library: Library) -> Served:
    """Train a recommender on everything that was played."""
    found = list(database["tracks"].find({}, {"title": 1, "artist": 1, "recording": 1}, sort=[("_id", 1)]))
    names = [[each[field] for each in found] for field in ("_id", "title", "artist", "recording")]
    catalogue = Catalogue.of(*names)
    played = Counter(
        (each["user_name"], catalogue.position[each["track_id"]])
        for each in database["listens"].find({}, {"user_name": 1, "track_id": 1})
    )
    row = {name: i for i, name in enumerate(sorted({name for name, _ in played}))}
    places = ([row[name] for name, _ in played], [track for _, track in played])
    counts = np.array([*played.values()], np.float32)
    play_counts = sparse.csr_matrix((counts, places), shape=(len(row), len(catalogue)))
    components = {
        "cosine": cosine(play_counts, kept=KEPT),
        "popularity": Popularity.fit(play_counts),
        "sound": alike(library.index.vectors(catalogue.track_ids)),
    }
    weights = dict.fromkeys(components, 1 / len(components))
    recipe = Recipe(Hyperparameters(), 1.0, 0.5, 1.0, weights, 0.5, 0.0)
    return Served("recommender/1", Recommender(catalogue, Blend(components, weights), recipe))


def describe(database: Database[dict[str, Any]], library: Library, random: np.random.Generator) -> None:
    """Print both tables of the playlists that are stored."""
    console, listens = Console(width=140), ListenStore(database)
    shares: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    steps: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    for name in sorted(database["playlists"].distinct("user_name")):
        played = set(listens.history(name).times)
        for document in PlaylistStore(database).of_user(name):
            made = playlist_of(document, library)
            if len(made.entries) >= FEWEST:
                shares[made.kind].append(_shares(made, played))
                steps[made.kind] += _steps(made, library, random)
    of_lists = Table("playlist", "lists", "recordings twice", "largest share of an artist", "played before")
    of_orders = Table("playlist", "as it is", "random", "nearest first", "random - as it is", "nearest - as it is")
    for kind in KINDS:
        if not shares[kind]:
            continue
        columns = (_mean(column, "{:.1%}") for column in np.array(shares[kind]).T)
        of_lists.add_row(kind, f"{len(shares[kind]):,}", *columns)
        own, shuffled, nearest = np.degrees(steps[kind]).T
        cells = (own, shuffled, nearest, shuffled - own, nearest - own)
        of_orders.add_row(kind, *(_mean(cell, "{:.1f}°") for cell in cells))
    console.print(of_lists)
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
