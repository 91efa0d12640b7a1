"""Measure playlists of a mood: how long finding the moods takes, and how long a request takes.

    .venv/bin/python benchmarks/moods.py [--tracks 100000]

It starts a document server of its own in a temporary folder, with made-up tracks of 2.5 kB. All figures are CPU
time, of this process and of the server.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
from documents import batches, document
from killed import own_stack
from pymongo import MongoClient

from segue.playlists import requested
from segue.playlists.library import Library
from segue.settings import Settings
from segue.stack import processes
from segue.tracks import moods
from segue.tracks.collection import INDEXES
from segue.tracks.nearest import SoundIndex

REQUESTS = 20
MINUTES = 60


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=100_000)
    tracks = parser.parse_args().tracks
    with own_stack(["mongo"]) as settings, MongoClient[dict[str, Any]](settings.mongo) as client:
        database = client[settings.mongo_database]
        random = np.random.default_rng(0)
        for batch in batches(tracks, 2_000):
            database["tracks"].insert_many([document(number) | described(random) for number in batch])
        for field in INDEXES:
            database["tracks"].create_index(field)
        library = Library(database, SoundIndex())
        print(f"{tracks:,} tracks; CPU time of this process and of the document server")
        measure(settings, "finding the moods", 1, lambda _: moods.update(database))
        measure(
            settings,
            f"{MINUTES} minutes of a mood",
            REQUESTS,
            lambda seed: requested.mood(library, "anna", "calm", MINUTES, seed=seed),
        )


def described(random: np.random.Generator) -> dict[str, Any]:
    """Make up the descriptors of a track."""
    tempo, beat, loud, sure, bright = random.random(5).tolist()
    return {
        "tempo_bpm": 60 + 120 * tempo,
        "beat_regularity": beat,
        "loudness_lufs": -30 + 25 * loud,
        "key_tonic": "G",
        "key_mode": "major" if random.random() < 0.6 else "minor",
        "key_confidence": sure,
        "descriptors": {"spectral_centroid_hz": 800 + 4_000 * bright},
    }


def measure(settings: Settings, what: str, times: int, act: Callable[[str], Any]) -> None:
    """Do something several times, and print what one time takes."""
    servers = processes.of(settings.state_dir)
    before, began_s = sum(map(_used_s, servers)), time.process_time()
    for i in range(times):
        act(str(i))
    own_s, theirs_s = time.process_time() - began_s, sum(map(_used_s, servers)) - before
    print(f"{what:<24} {1_000 * own_s / times:8.1f} ms + {1_000 * theirs_s / times:8.1f} ms", flush=True)


def _used_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


if __name__ == "__main__":
    main()
