"""Measure how the recommender's training grows with the listens: what its driver holds, and the lists.

    python benchmarks/recommender_scale.py --listens 10000000 --listeners 100000

Listens and tracks are made up, as Parquet files in a temporary folder. Tracks and listeners are drawn by Zipf's
law. Each step is printed with its wall time, the CPU time of all processes, and the peak PSS of the driver's
Python, Spark's JVM and Spark's Python workers. The steps:

- the material: listens and tracks are read into the driver's arrays;
- the matrix of plays, and the windows that a training is evaluated on;
- with --fit: ALS, as a training fits it once;
- lists of --lists listeners, ranked by a made-up model with four components, and written to a document server of
  the benchmark's own. The server's CPU and memory are not part of the figures.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from killed import own_stack
from measured import Meter
from synthetic import champion, names_of

TRACKS = 106_574
ROWS = 1_000_000
"""Rows of one Parquet file."""

PARTITIONS = 8
"""Of the topic of listens."""

VECTOR = "embedding"
DIMENSIONS = 16
"""Vectors are small, so that the figures are those of the listens."""

app = typer.Typer(add_completion=False)


def make_listens(folder: Path, listens: int, listeners: int) -> None:
    """Write half a year of listens, a file for each `ROWS`."""
    random = np.random.default_rng(0)
    names = pa.array([f"listener-{i:06}" for i in range(listeners)])
    tracks = pa.array([track_id(i) for i in range(TRACKS)])
    reached = [np.cumsum(1 / np.arange(10, count + 10) ** 0.8) for count in (listeners, TRACKS)]
    shuffled = random.permutation(TRACKS)
    for start in range(0, listens, ROWS):
        rows = min(ROWS, listens - start)
        user, rank = (np.searchsorted(each, random.random(rows) * each[-1]) for each in reached)
        table = pa.table(
            {
                "user_name": names.take(pa.array(user)),
                "track_id": tracks.take(pa.array(shuffled[rank])),
                "listened_at": random.integers(1_750_000_000, 1_765_000_000, rows),
                "plays": np.ones(rows, dtype=np.float32),
                "partition": (user % PARTITIONS).astype(np.int32),
                "offset": np.arange(start, start + rows),
            }
        )
        pq.write_table(table, folder / f"{start // ROWS:04}.parquet")


def make_tracks(folder: Path) -> None:
    """Write the tracks, with vectors at random."""
    vectors = np.random.default_rng(1).standard_normal((TRACKS, DIMENSIONS), dtype=np.float32)
    ids = [track_id(i) for i in range(TRACKS)]
    names = [names_of(i) for i in range(TRACKS)]
    columns = {
        "track_id": ids,
        "title": [each["track_name"] for each in names],
        "artist": [each["artist_name"] for each in names],
        "recording": ids,
        VECTOR: [vector.tobytes() for vector in vectors],
        f"{VECTOR}_version": ["1"] * TRACKS,
    }
    pq.write_table(pa.table(columns), folder / "tracks.parquet")


def track_id(number: int) -> str:
    """Return an id as long as those of files."""
    return f"f{number * 0x9E3779B97F4A7C15 % 2**64:016x}"


@app.command()
def main(
    listens: int = 1_000_000,
    listeners: int = 20_000,
    lists: Annotated[int, typer.Option(help="Listeners who get a list; 0 for none.")] = 2_000,
    fit: Annotated[bool, typer.Option(help="Fit ALS with 16 factors.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Keep the made-up data here, and use what is there.")] = None,
) -> None:
    """Measure the steps."""
    with tempfile.TemporaryDirectory(prefix="segue-scale-") as temporary:
        data = (folder or Path(temporary)) / f"{listens}-{listeners}"
        if not data.exists():
            (data / "listens").mkdir(parents=True)
            # In a process of its own, which leaves no memory behind.
            subprocess.run([sys.executable, __file__, "make", str(data), str(listens), str(listeners)], check=True)
        if lists:
            with own_stack(["mongo"]) as stack:
                os.environ |= stack.environment
                measure(data, lists=lists, fit=fit)
        else:
            measure(data, lists=0, fit=fit)


def measure(data: Path, *, lists: int, fit: bool) -> None:
    """Run the steps in this process."""
    from segue.connections import mongo
    from segue.recommender.components import als
    from segue.recommender.evaluation.windows import by_time
    from segue.recommender.material import Material
    from segue.recommender.model import Recommender
    from segue.recommender.serving import release
    from segue.recommender.serving.champion import Served
    from segue.settings import get_settings
    from segue.stack.spark_session import spark_session
    from segue.tracks.sound_vectors import VectorColumn

    get_settings.cache_clear()
    with Meter() as meter, spark_session() as spark:
        tracks = spark.read.parquet(str(data / "tracks.parquet"))
        played = spark.read.parquet(str(data / "listens"))
        before = meter.step("Spark's start")
        material = Material.read(played, tracks, (VectorColumn(VECTOR, "1", DIMENSIONS),))
        plays = material.interactions
        peaks = meter.step("the material")
        a_listen = (peaks["driver"] - before["driver"]) * 1e6 / len(plays.user)
        print(f"{a_listen:,.0f} bytes a listen in the driver, at the highest", flush=True)
        matrix = plays.matrix()
        meter.step(f"the matrix, {matrix.nnz:,} pairs of listener and track")
        windows = by_time(plays)
        meter.step("windows in time")
        if fit:
            als.fit(spark, windows.validation.train, als.Hyperparameters(rank=16, iterations=10))
            meter.step("ALS, 16 factors, 10 iterations")
        del windows, matrix
        if lists:
            made = champion(TRACKS)
            served = Served("recommender/1", Recommender(material.catalogue, made.blend, made.recipe))
            meter.step("a model made up")
            chosen = np.random.default_rng(2).permutation(len(plays.users))[:lists]
            some = replace(material, interactions=plays.where(np.isin(plays.user, chosen)))
            with mongo.database() as database:
                began = time.monotonic()
                count = release.publish(spark, database, get_settings(), served, some, {})
                rate = count / (time.monotonic() - began)
                meter.step(f"lists of {count:,} listeners, {rate:,.0f} a second")
        meter.total()


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        target = Path(sys.argv[2])
        make_listens(target / "listens", int(sys.argv[3]), int(sys.argv[4]))
        make_tracks(target)
    else:
        app()
