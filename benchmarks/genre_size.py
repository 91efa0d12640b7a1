"""Measure the DAG task `genre_model.train` on a large corpus.

    python benchmarks/genre_size.py --tracks 20000
    python benchmarks/genre_size.py --tracks 106574 --search wide

The benchmark publishes synthetic tracks, with long tails of genres and artists, to its own document server. Then
it runs `spark_jobs/train_genre.py` as Airflow does, with the DAG's own trials and minutes. It prints each line of
the job after the resources used so far. The table at the end has wall time, CPU time and the largest proportional
set size (PSS) of a JVM, of the driver's Python and of a Python worker.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from killed import own_stack
from pymongo import MongoClient

from segue.audio.definition import N_FEATURES
from segue.settings import PROJECT_DIR, Settings
from segue.stack import spark_conf
from segue.tracks.vectors import pack

GENRES, STYLES, DIMENSIONS = 16, 4, 24
CHUNK = 1_000
WITHOUT_GENRE = 0.1

JVM, DRIVER, WORKER = "JVM", "driver's Python", "Python worker"
EVERY_S = 1.0


def publish(settings: Settings, tracks: int) -> None:
    """Publish tracks whose genres overlap.

    The shares of genres and artists follow Zipf's law. An artist has one of four styles of a genre, which a linear
    model cannot separate. One track in ten has the wrong genre, and one in ten has none. The features depend on
    each other like those of audio: they are made from a few dimensions and noise.

    Parameters
    ----------
    settings : Settings
        They name the document server.
    tracks : int
    """
    random = np.random.default_rng(0)
    artists = tracks // 6
    artist = random.choice(artists, tracks, p=tail(artists, 0.8))
    genre = random.choice(GENRES, artists, p=tail(GENRES, 1.3))[artist]
    genre = np.where(random.random(tracks) < 0.1, random.choice(GENRES, tracks, p=tail(GENRES, 1.3)), genre)
    known = random.random(tracks) >= WITHOUT_GENRE
    centre = random.normal(size=(GENRES, STYLES, DIMENSIONS))
    style = random.integers(STYLES, size=artists)[artist]
    mixed = random.normal(size=(DIMENSIONS, N_FEATURES))
    scale = np.exp(random.normal(scale=2, size=N_FEATURES))
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        collection = client[settings.mongo_database]["tracks"]
        collection.create_index("genre")
        for start in range(0, tracks, CHUNK):
            at = np.arange(start, min(start + CHUNK, tracks))
            inner = centre[genre[at], style[at]] + random.normal(size=(len(at), DIMENSIONS))
            vectors = pack(scale * (inner @ mixed + random.normal(size=(len(at), N_FEATURES))))
            documents = [
                {
                    "_id": f"t{i:06}",
                    "title": f"Title {i}",
                    "artist": f"Artist {artist[i]}",
                    "genre": f"Genre {genre[i]:02}" if known[i] else None,
                    "features": vector,
                    "flags": [],
                    "year": int(1980 + i % 40),
                    "partition_date": "2026-01-01",
                }
                for i, vector in zip(at, vectors, strict=True)
            ]
            collection.insert_many(documents)


def tail(size: int, exponent: float) -> np.ndarray:
    """Return shares that follow Zipf's law."""
    shares = 1 / np.arange(1, size + 1) ** exponent
    return shares / shares.sum()


class Watch:
    """Samples a process and its descendants, by kind."""

    def __init__(self, pid: int) -> None:
        self.root = psutil.Process(pid)
        self.began = time.monotonic()
        self.peak: defaultdict[str, int] = defaultdict(int)
        self.now: dict[str, int] = {}
        self.cpu: dict[tuple[str, int], float] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    def line(self) -> str:
        """Return the resources in use now, as text."""
        memory = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in self.now.items())
        return f"[{time.monotonic() - self.began:5.0f} s, {sum(self.cpu.values()):5.0f} CPU s; GB: {memory}]"

    def _watch(self) -> None:
        while True:
            time.sleep(EVERY_S)
            now: defaultdict[str, int] = defaultdict(int)
            with suppress(psutil.NoSuchProcess):
                self._sample(now)
            self.now = dict(sorted(now.items()))
            for kind, size in now.items():
                self.peak[kind] = max(self.peak[kind], size)

    def _sample(self, now: dict[str, int]) -> None:
        for process in [self.root, *self.root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied, IndexError):  # it has just ended
                kind, times = kind_of(process), process.cpu_times()
                self.cpu[kind, process.pid] = times.user + times.system
                now[kind] = max(now[kind], process.memory_full_info().pss)

    def table(self) -> str:
        """Return the totals as a table."""
        wall = time.monotonic() - self.began
        lines = [f"wall {wall:,.0f} s, CPU {sum(self.cpu.values()):,.0f} s"]
        for kind, size in sorted(self.peak.items()):
            cpu = sum(spent for (each, _), spent in self.cpu.items() if each == kind)
            lines.append(f"{kind:<16} {cpu:7,.0f} CPU s   peak PSS {size / 1e9:.2f} GB")
        return "\n".join(lines)


def kind_of(process: psutil.Process) -> str:
    """Name the kind of a process of a Spark application."""
    command = process.cmdline()
    if Path(command[0]).name == "java":
        return JVM
    return WORKER if "pyspark.daemon" in command else DRIVER


def main() -> None:
    """Read the arguments, publish the tracks, run the job, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=20_000)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--search", choices=("warm", "wide"), default="warm")
    arguments = parser.parse_args()
    with own_stack(["mongo"]) as services:
        settings = services.model_copy(update={"spark_driver_memory_mb": Settings().spark_driver_memory_mb})
        spark_conf.write(settings)
        began = time.monotonic()
        publish(settings, arguments.tracks)
        print(f"Published {arguments.tracks:,} tracks in {time.monotonic() - began:.0f} s.", flush=True)
        budget = ["--trials", str(arguments.trials), "--minutes", str(arguments.minutes)]
        command = [
            str(Path(sys.executable).with_name("spark-submit")),
            str(PROJECT_DIR / "spark_jobs" / "train_genre.py"),
            *("--run-id", "genre_model/size", "--search", arguments.search, *budget),
        ]
        environment = {**os.environ, **spark_conf.environment(settings), "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            watch = Watch(process.pid)
            for line in process.stdout or []:
                print(watch.line(), line.rstrip(), flush=True)
        print(watch.table())
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
