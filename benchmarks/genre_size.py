"""What the DAG task `genre_model.train` takes at the size of a large corpus.

    python benchmarks/genre_size.py --tracks 20000
    python benchmarks/genre_size.py --tracks 106574 --search wide

A corpus of synthetic features with a long tail of genres and of artists is trained on at the DAG's own settings. The
lines of the training are printed as they come, each with what the training takes by then; the table at the end has
wall time, CPU time and the largest proportional set size (PSS) of the JVM, of the driver's Python and of the largest
Python worker.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from segue.audio.definition import N_FEATURES

TABLE = "tracks.parquet"
GENRES = 16
CHUNK = 5_000
WITHOUT_GENRE = 0.1

JVM, DRIVER, WORKER = "JVM", "driver's Python", "Python worker"
EVERY_S = 1.0


def write(path: Path, tracks: int) -> None:
    """Write tracks whose genres overlap; the shares of genres and artists follow Zipf's law.

    Parameters
    ----------
    path : Path
    tracks : int
    """
    random = np.random.default_rng(0)
    artists = tracks // 6
    shares = 1 / np.arange(1, artists + 1) ** 0.8
    artist = random.choice(artists, tracks, p=shares / shares.sum())
    shares = 1 / np.arange(1, GENRES + 1) ** 1.3
    genre_of_artist = random.choice(GENRES, artists, p=shares / shares.sum())
    strays = random.random(tracks) < 0.1
    genre = np.where(strays, random.choice(GENRES, tracks, p=shares / shares.sum()), genre_of_artist[artist])
    centre = random.normal(size=(GENRES, N_FEATURES)).astype(np.float32)
    own = random.normal(size=(artists, 8)).astype(np.float32)  # who plays is heard too
    mixed = random.normal(size=(8, N_FEATURES)).astype(np.float32)
    scale = np.exp(random.normal(scale=2, size=N_FEATURES)).astype(np.float32)
    known = random.random(tracks) >= WITHOUT_GENRE
    schema = pa.schema(
        {
            "track_id": pa.string(),
            "artist": pa.string(),
            "genre": pa.string(),
            "features": pa.list_(pa.float64()),
            "flags": pa.list_(pa.string()),
            "language": pa.string(),
            "year": pa.int32(),
            "split": pa.string(),
            "partition_date": pa.string(),
        }
    )
    with pq.ParquetWriter(path, schema, use_dictionary=["artist", "genre"]) as writer:
        for start in range(0, tracks, CHUNK):
            at = np.arange(start, min(start + CHUNK, tracks))
            features = random.normal(size=(len(at), N_FEATURES)).astype(np.float32)
            features = scale * (features + 0.1 * centre[genre[at]] + 0.1 * own[artist[at]] @ mixed)
            columns = {
                "track_id": [f"t{i:06}" for i in at],
                "artist": [f"Artist {i}" for i in artist[at]],
                "genre": [f"Genre {genre[i]:02}" if known[i] else None for i in at],
                "features": list(features.astype(np.float64)),
                "flags": [[]] * len(at),
                "language": [None] * len(at),
                "year": [1980 + i % 40 for i in at],
                "split": [None] * len(at),
                "partition_date": ["2026-01-01"] * len(at),
            }
            writer.write_table(pa.table(columns, schema))


def train(folder: Path, trials: int, minutes: float, search: str) -> None:
    """Do what `spark_jobs/train_genre.py` does, with the tracks from Parquet."""
    from segue.commands.evaluate import spark_session
    from segue.models import documents
    from segue.models.genre import release
    from segue.models.genre.search import Budget
    from segue.models.genre.training import Search
    from segue.models.registry import Registry
    from segue.settings import get_settings

    settings = get_settings()
    with spark_session() as spark:
        tracks = spark.read.parquet(str(folder / TABLE)).repartition(spark.sparkContext.defaultParallelism).cache()
        print("snapshot", documents.snapshot(tracks), flush=True)
        how = Search(settings.tuning, "genre_model/size", Budget(trials, minutes), wide=search == "wide")
        trained, decision = release.release(
            tracks, Registry(settings), how, say=lambda line: print(line, flush=True)
        )
        metrics = trained.judged.metrics()
        print(f"{decision.outcome}: accuracy {metrics['accuracy']:.4f}, macro F1 {metrics['macro_f1']:.4f}")


class Watch:
    """Samples the processes below this one; each is of one of three kinds."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.peak: defaultdict[str, int] = defaultdict(int)
        self.now: dict[str, int] = {}
        self.cpu: dict[tuple[str, int], float] = {}
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        """Stop sampling."""
        self._stopped.set()

    def line(self) -> str:
        """Return what is taken now."""
        memory = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in self.now.items())
        return f"[{time.monotonic() - self.began:5.0f} s, {sum(self.cpu.values()):5.0f} CPU s; GB: {memory}]"

    def _watch(self) -> None:
        while not self._stopped.wait(EVERY_S):
            now: defaultdict[str, int] = defaultdict(int)
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                    kind = kind_of(process)
                    times = process.cpu_times()
                    self.cpu[kind, process.pid] = times.user + times.system
                    now[kind] = max(now[kind], process.memory_full_info().pss)
            self.now = dict(sorted(now.items()))
            for kind, size in now.items():
                self.peak[kind] = max(self.peak[kind], size)

    def table(self) -> str:
        """Lay out the totals."""
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
    """Read the arguments, make the corpus, train in a process of its own, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=20_000)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--search", choices=("warm", "wide"), default="warm")
    parser.add_argument("--folder", type=Path, help="where the table is kept, or made (else a temporary folder)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        train(arguments.folder, arguments.trials, arguments.minutes, arguments.search)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / TABLE).exists():
            folder.mkdir(parents=True, exist_ok=True)
            write(folder / TABLE, arguments.tracks)
        environment = {**os.environ, "SEGUE_HOME": f"{temporary}/home"}
        command = [sys.executable, *sys.argv, "--inside"]
        if not arguments.folder:
            command += ["--folder", str(folder)]
        watch = Watch()
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(watch.line(), line.rstrip(), flush=True)
        watch.stop()
        print(watch.table())
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
