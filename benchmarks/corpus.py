"""Measure the corpus pipeline: extraction on Spark compared with a plain loop, and FMA's rows through the rest.

    .venv/bin/python benchmarks/corpus.py extract FOLDER   clips: a loop of two processes, Spark on 1 and 2 cores
    .venv/bin/python benchmarks/corpus.py again FOLDER     clips: all jobs; the cost of renamed and retagged files
    .venv/bin/python benchmarks/corpus.py daily FOLDER     60 clips: all jobs; and again with ten new clips
    .venv/bin/python benchmarks/corpus.py rows             106,574 rows through merge, clean, gate and publish
    .venv/bin/python benchmarks/corpus.py all FOLDER       all of them

FOLDER has MP3s. The benchmark copies them as often as needed. Each copy has its own title, so no two are equal. It
starts the jobs by spark-submit, as the DAG does. Document server and lake are temporary. CPU is that of all
processes of a job, from the start of the JVM to its end. Wall time is only meaningful on a quiet machine.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any, TypeVar

import mutagen
import numpy as np
import psutil
import pyarrow as pa
from pymongo import MongoClient, ReplaceOne
from pymongo.database import Database

from segue import private, secrets
from segue.audio.definition import FEATURE_VERSION, N_FEATURES
from segue.audio.results import TAGS_VERSION
from segue.corpus import gate
from segue.corpus.reports import CleaningReport, ExtractReport, InventoryReport, PublishReport
from segue.corpus.schema import FEATURES, INVENTORY, columns
from segue.runs import summaries
from segue.settings import PROJECT_DIR, Settings
from segue.stack import documents, lifecycle, ports, spark_conf
from segue.tracks import collection as tracks_collection

Kind = TypeVar("Kind", bound=summaries.Report)

CORES = 2
CLIPS = (500, 1_000, 2_000, 4_000)
COMPARED = 2_000
"""Number of clips that are always measured, on one core too."""

FMA_TRACKS, FMA_ARTISTS, FMA_LAST_ID = 106_574, 16_341, 155_320
FMA_FIRST_DAY, FMA_DAYS = date(2008, 11, 26), 3_047
BIO_CHARACTERS = 2_000
"""Length of a made-up biography. FMA's tracks.csv has 260 MB, most of it texts that Segue does not use."""

DAILY, NEW = 60, 10
"""Numbers of clips for `daily`: those that are known, and those that come later."""

JVM = "spark.driver.defaultJavaOptions=-XX:TieredStopAtLevel=1"
"""As in dags/corpus.py."""

LOOP = """
import sys
from multiprocessing import Pool
from pathlib import Path
from segue.audio.extract import Track, extract

def one(path):
    return isinstance(extract(path), Track)

with Pool(int(sys.argv[2])) as pool:
    print(sum(pool.imap_unordered(one, sorted(map(str, Path(sys.argv[1]).iterdir())))))
"""

PRESENT = """
from datetime import date
from segue.corpus import publications
from segue.settings import get_settings
print(publications.present(get_settings(), date.today()))
"""
"""Does what the task skip_unless_changed does, without Airflow and without one of its queries."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Cost:
    """Cost of a command: wall time, CPU of all its processes, and, if watched, the peak of their total PSS."""

    seconds: float
    cpu_s: float
    pss_gb: float = 0.0


def measure(
    command: Sequence[str | Path], environment: Mapping[str, str], log: Path, *, watch: bool = False
) -> Cost:
    """Run a command. Its orphans become children of this process, so that their CPU time is counted."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    this = psutil.Process()
    earlier = {child.pid for child in this.children()}
    before, began, peak = getrusage(RUSAGE_CHILDREN), time.monotonic(), [0.0]
    with log.open("w") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
        if watch:
            threading.Thread(target=_watch, args=(process, peak), daemon=True).start()
        status = process.wait()
    seconds = time.monotonic() - began
    while orphans := [child for child in this.children() if child.pid not in earlier]:
        with suppress(ChildProcessError):
            os.waitpid(orphans[0].pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with {status}:\n{log.read_text()[-3_000:]}")
    after = getrusage(RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds, cpu_s, peak[0])


def _watch(process: subprocess.Popen[bytes], peak: list[float]) -> None:
    while process.poll() is None:
        pss = 0
        with suppress(psutil.Error):
            root = psutil.Process(process.pid)
            for each in [root, *root.children(recursive=True)]:
                with suppress(psutil.Error):
                    pss += each.memory_full_info().pss
        peak[0] = max(peak[0], pss / 1e9)
        time.sleep(1)


class Bench:
    """A document server and separate lakes for the jobs, in a temporary folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._common: dict[str, Any] = {"home": home, "jars": Settings().jars_dir, **ports.for_a_stack()}
        self.server = Settings(**self._common, corpus="server")

    def settings(self, name: str, cores: int = CORES, **others: Any) -> Settings:
        """Make the settings of a separate corpus, which uses the server of this one."""
        made = Settings(**self._common, corpus=name, spark_master=f"local[{cores}]", **others)
        secrets.load(self.server.state_dir)
        private.write(secrets.path(made.state_dir), secrets.path(self.server.state_dir).read_text())
        spark_conf.write(made)
        return made

    def database(self) -> Database[Any]:
        """Open the database."""
        return MongoClient[Any](self.server.mongo, tz_aware=True)[self.server.mongo_database]

    def submit(self, kind: type[Kind], settings: Settings, *, watch: bool = False) -> tuple[Cost, Kind]:
        """Run a job as the DAG does; return its cost and its report."""
        run_id, job = f"benchmark/{settings.corpus}", kind.JOB
        command = [
            *(Path(sys.prefix) / "bin" / "spark-submit", "--conf", JVM),
            *(PROJECT_DIR / "spark_jobs" / f"{job}.py", "--run-id", run_id),
        ]
        cost = measure(command, spark_conf.environment(settings), self.home / f"{job}.log", watch=watch)
        return cost, summaries.require(run_id, kind, source=self.database())


def measure_extraction(bench: Bench, folder: Path, sizes: Sequence[int]) -> None:
    """Print the cost of extraction on Spark and in a plain loop."""
    music = {clips: bench.home / f"music-{clips}" for clips in {*sizes, COMPARED}}
    copy_clips(folder, bench.home / "clips", max(music))
    for clips, where in music.items():
        where.mkdir()
        for clip in islice(sorted((bench.home / "clips").iterdir()), clips):
            (where / clip.name).hardlink_to(clip)
    table = Table("| | clips | wall s | CPU s | CPU ms a clip | extracting, wall s |")
    loops: dict[int, Cost] = {}
    for clips in sorted(music):
        loop = loops[clips] = _loop(bench, music[clips], clips)
        table.row(
            f"a loop of {CORES} processes", f"{clips:,}", loop.seconds, loop.cpu_s, loop.cpu_s / clips * 1e3, ""
        )
    spark: dict[tuple[int, int], tuple[Cost, ExtractReport]] = {}
    for cores, clips in [(1, COMPARED), *((CORES, clips) for clips in sorted(music))]:
        settings = bench.settings(f"clips-{clips}-{cores}", cores, music=music[clips])
        bench.submit(InventoryReport, settings)
        cost, report = spark[cores, clips] = bench.submit(ExtractReport, settings)
        outcomes = report.outcomes
        if outcomes.features != clips:
            raise RuntimeError(f"Of {clips} clips {outcomes.features} were extracted: {outcomes.rejected}")
        per_clip = cost.cpu_s / clips * 1e3
        extracting_s = report.work.extracting_s
        table.row(f"Spark local[{cores}]", f"{clips:,}", cost.seconds, cost.cpu_s, per_clip, extracting_s)
    for clips, loop in loops.items():
        cost, report = spark[CORES, clips]
        inside = report.work.extracting_s / loop.seconds
        print(
            f"\nSpark over loop, {clips:,} clips: wall {cost.seconds / loop.seconds:.2f},"
            f" CPU {cost.cpu_s / loop.cpu_s:.2f}; the extraction alone: wall {inside:.2f}"
        )
    (two, together), (one, alone) = spark[CORES, COMPARED], spark[1, COMPARED]
    print(f"local[1] over local[2]: wall {one.seconds / two.seconds:.2f}")
    print(f"... the extraction alone: wall {alone.work.extracting_s / together.work.extracting_s:.2f}")
    x, wall, cpu = zip(
        *((n, spark[CORES, n][0].seconds, spark[CORES, n][0].cpu_s) for n in sorted(sizes)), strict=True
    )
    for name, y in {"wall": wall, "CPU": cpu}.items():
        slope, intercept = np.polyfit(x, y, 1)
        off = np.abs(np.polyval([slope, intercept], x) / y - 1).max()
        print(f"{name}: {intercept:.1f} s and {slope * 1e3:.1f} ms a clip, off the line by {off:.1%} at most")


def measure_again(bench: Bench, folder: Path, clips: int) -> None:
    """Print the cost of the jobs: the first time, with nothing changed, and with files renamed or tagged again.

    Raises
    ------
    RuntimeError
        If a known file was decoded again, or if it was not hashed exactly once.
    """
    copy_clips(folder, music := bench.home / "music-again", clips)
    settings = bench.settings("again", music=music)
    table = Table("| | wall s | CPU s | CPU of the first run | files hashed | files decoded |")
    costs = [
        _row(table, kind.JOB, *bench.submit(kind, settings), 0.0)
        for kind in (InventoryReport, ExtractReport, CleaningReport, PublishReport)
    ]
    first = sum(costs)
    table.row("first run, its jobs together", "", first, "", "", "")
    command = [sys.executable, "-c", PRESENT]
    check = measure(command, spark_conf.environment(settings), bench.home / "present.log")
    _row(table, "second run: music, metadata and lake looked at", check, None, first)
    changes = {"touched": _touch, "renamed": _rename, "renamed and tagged again": _retag}
    for name, change in changes.items():
        change(music)
        cost, looked = bench.submit(InventoryReport, settings)
        _row(table, f"inventory, all files {name}", cost, looked, first)
        cost, done = bench.submit(ExtractReport, settings)
        _row(table, f"extract, all files {name}", cost, done, first)
        if (looked.found.hashed, done.work.extracted) != (clips, 0):
            raise RuntimeError(f"Not all files were hashed, or some were decoded: {looked}, {done}")


def measure_daily(bench: Bench, folder: Path) -> None:
    """Print the cost of the jobs of a small corpus, and of those of the next day, which brings ten new clips."""
    copy_clips(folder, clips := bench.home / "clips-daily", DAILY + NEW)
    settings = bench.settings("daily", music=(music := bench.home / "music-daily"))
    music.mkdir()
    table = Table("| | wall s | CPU s | CPU of the first run | files hashed | files decoded |")
    paths = sorted(clips.iterdir())
    for name, come in {"first run": paths[:DAILY], "ten new clips": paths[DAILY:]}.items():
        for clip in come:
            (music / clip.name).hardlink_to(clip)
        for kind in (InventoryReport, ExtractReport, CleaningReport, PublishReport):
            _row(table, f"{name}: {kind.JOB}", *bench.submit(kind, settings), 0.0)


def _row(table: Table, name: str, cost: Cost, report: summaries.Report | None, first: float) -> float:
    """Print the cost of a job, and what it did with the files; return its CPU time."""
    hashed = f"{report.found.hashed:,}" if isinstance(report, InventoryReport) else ""
    decoded = f"{report.work.extracted:,}" if isinstance(report, ExtractReport) else ""
    table.row(name, cost.seconds, cost.cpu_s, f"{cost.cpu_s / first:.1%}" if first else "", hashed, decoded)
    return cost.cpu_s


def _touch(music: Path) -> None:
    for path in music.rglob("*.mp3"):
        path.touch()


def _rename(music: Path) -> None:
    """Move all files into a new folder."""
    files, folder = list(music.rglob("*.mp3")), music / f"renamed {time.time_ns()}"
    folder.mkdir()
    for path in files:
        path.rename(folder / path.name)


def _retag(music: Path) -> None:
    """Move all files, and write another title into each."""
    _rename(music)
    for path in music.rglob("*.mp3"):
        file = mutagen.File(path, easy=True)
        file["title"] = [f"New {path.stem}"]
        file.save()


def _loop(bench: Bench, music: Path, clips: int) -> Cost:
    command = [sys.executable, "-c", LOOP, str(music), str(CORES)]
    cost = measure(command, ONE_THREAD, log := bench.home / "loop.log")
    done = int(log.read_text().split()[-1])
    if done != clips:
        raise RuntimeError(f"The loop extracted {done} of {clips} clips.")
    return cost


def copy_clips(folder: Path, into: Path, count: int) -> None:
    """Copy MP3s repeatedly, each copy with another title."""
    sources = list(islice(filter(_is_sound, sorted(folder.rglob("*.mp3"))), count))
    into.mkdir()
    for number in range(count):
        path = shutil.copyfile(sources[number % len(sources)], into / f"{number:06d}.mp3")
        file = mutagen.File(path, easy=True)
        if file.tags is None:
            file.add_tags()
        file["title"] = [f"Clip {number}"]
        file.save()


def _is_sound(path: Path) -> bool:
    from segue.audio.extract import Track, extract

    with suppress(mutagen.MutagenError):
        return mutagen.File(path) is not None and isinstance(extract(path), Track)
    return False


def measure_rows(bench: Bench, tracks: int) -> None:
    """Print the cost of merging, cleaning, the gate and publishing for a number of tracks."""
    folder = bench.home / "fma_metadata"
    settings = bench.settings("rows", metadata=folder, music=bench.home / "fma_full")
    numbers = write_metadata(folder, tracks)
    process = multiprocessing.get_context("spawn").Process(target=write_lake, args=(settings, numbers))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError("The lake could not be made.")
    size_mb = (folder / "tracks.csv").stat().st_size / 1e6
    print(f"{tracks:,} tracks, {FMA_DAYS:,} days, tracks.csv of {size_mb:.0f} MB")
    table = Table("| | wall s | CPU s, client | CPU s, server | PSS GB |")
    server = documents.service(bench.server).process()
    if server is None:
        raise RuntimeError("The document server has ended.")
    database = bench.database()

    cost, report = bench.submit(CleaningReport, settings, watch=True)
    table.row("merge and clean", cost.seconds, cost.cpu_s, "", cost.pss_gb)
    began = time.monotonic()
    checks = gate.judge(report, report.counts.files, None, settings)
    gate.require(checks)
    table.row(f"gate, {len(checks)} checks", time.monotonic() - began, "", "", "")

    used = _cpu_s(server)
    cost, summary = bench.submit(PublishReport, settings, watch=True)
    table.row("publish", cost.seconds, cost.cpu_s, _cpu_s(server) - used, cost.pss_gb)
    used = _cpu_s(server)
    bulk, server_s = bulk_upsert(database, server)
    table.row("pymongo's bulk upsert", bulk.seconds, bulk.cpu_s, server_s, "")
    in_bulk = database.bulk.estimated_document_count()
    if not summary.published.tracks == report.measured.tracks == tracks == in_bulk:
        raise RuntimeError("Tracks were lost on the way.")
    print(f"\npublish over pymongo: wall {cost.seconds / bulk.seconds:.2f}")


def bulk_upsert(database: Database[Any], server: psutil.Process) -> tuple[Cost, float]:
    """Upsert the documents of the collection into another one; only the writing is timed."""
    database.create_collection("bulk", validator=tracks_collection.VALIDATOR)
    for field in tracks_collection.INDEXES:
        database.bulk.create_index(field)
    found = database[tracks_collection.COLLECTION].find(batch_size=1_000)
    seconds = cpu_s = server_s = 0.0
    while batch := list(islice(found, 1_000)):
        began, used, server_used = time.monotonic(), time.process_time(), _cpu_s(server)
        database.bulk.bulk_write(
            [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in batch], ordered=False
        )
        seconds += time.monotonic() - began
        cpu_s += time.process_time() - used
        server_s += _cpu_s(server) - server_used
    return Cost(seconds, cpu_s), server_s


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def write_metadata(folder: Path, tracks: int) -> list[int]:
    """Write tables like FMA's; return the numbers of the tracks."""
    rng = random.Random(1)
    roots = ["Rock", "Electronic", "Experimental", "Hip-Hop", "Folk", "Instrumental", "Pop", "International"]
    names = [
        ("album", "date_released"),
        ("album", "title"),
        ("artist", "bio"),
        ("artist", "name"),
        ("set", "split"),
        ("set", "subset"),
    ]
    of_track = ("date_created", "duration", "genre_top", "genres", "language_code", "title")
    names += [("track", name) for name in of_track]
    words = ["Réel", "blue", " Night", "坂本", "n/a", "of", "the  sea", "Ode", "№ 5", "(live)", "Сплин", "II"]
    folder.mkdir()
    with (folder / "genres.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["genre_id", "#tracks", "parent", "title", "top_level"])
        writer.writerows([each, 1, 0, title, each] for each, title in enumerate(roots, 1))
        writer.writerows([each, 1, each % 8 + 1, f"Genre {each}", each % 8 + 1] for each in range(9, 164))
    numbers = sorted(rng.sample(range(1, FMA_LAST_ID + 1), tracks))
    with (folder / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows(["", *level] for level in zip(*names, strict=True))
        writer.writerow(["track_id", *[""] * len(names)])
        for number in numbers:
            title = " ".join(rng.choices(words, k=3))
            top = rng.choice(roots) if rng.random() < 0.5 else ""
            writer.writerow(
                [
                    *(
                        number,
                        f"{_day(number)} 00:00:00",
                        f"Album {number // 12}",
                        f"<p>{'x' * BIO_CHARACTERS}</p>",
                    ),
                    *(
                        f"Artist {rng.randrange(FMA_ARTISTS)}",
                        rng.choice(["training", "validation", "test"]),
                        "full",
                    ),
                    *(f"{_day(number)} 01:44:45", rng.randrange(25, 400), top),
                    *(str(rng.sample(range(9, 164), 3)), rng.choice(["en", ""]), f"{title} {number % 40_000}"),
                ]
            )
    return numbers


def write_lake(settings: Settings, numbers: Sequence[int]) -> None:
    """Write inventory and features of synthetic tracks."""

    def with_features(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = batch.num_rows
            rng = np.random.default_rng(batch["size_bytes"][0].as_py() + int(batch["track_id"][0].as_py()))
            values = rng.normal(1_000, 100, rows * N_FEATURES).astype(np.float32)
            made = {
                **{name: batch[name] for name in ("track_id", "path", "size_bytes", "mtime_ns", "partition_date")},
                "content_hash": batch["path"],
                "audio_hash": batch["path"],
                "tags_version": pa.array([TAGS_VERSION] * rows, pa.int32()),
                "feature_version": pa.array([FEATURE_VERSION] * rows),
                "duration_s": pa.array(rng.uniform(25, 400, rows)),
                "sample_rate": pa.array([44_100] * rows, pa.int32()),
                "channels": pa.array([2] * rows, pa.int32()),
                "decoder": pa.array(["libsndfile"] * rows),
                "features": pa.ListArray.from_arrays(
                    np.arange(rows + 1, dtype=np.int32) * N_FEATURES, pa.array(values)
                ),
            }
            no_tag = pa.nulls(rows, pa.string())
            names = columns(FEATURES)
            yield pa.RecordBatch.from_arrays([made.get(name, no_tag) for name in names], names)

    os.environ.update(spark_conf.environment(settings))
    from segue.connections.spark import session
    from segue.corpus.lake import Lake

    spark = session("lake")
    lake = Lake(spark, settings.lake_uri)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    paths = {number: f"{number // 1000:03d}/{number:06d}.mp3" for number in numbers}
    files = [(str(n), path, 1_000_000, 1, now, _day(n), None) for n, path in paths.items()]
    inventory = spark.createDataFrame(files, INVENTORY)
    days = {_day(number) for number in numbers}
    inventory.write.format("delta").mode("append").save(lake.table("inventory").detail().first()["location"])
    features = inventory.repartition(8 * CORES).mapInArrow(with_features, FEATURES)
    lake.replace("features", features, days)
    spark.stop()


def _day(number: int) -> date:
    """Tracks entered FMA in the order of their numbers."""
    return FMA_FIRST_DAY + timedelta(days=number * FMA_DAYS // (FMA_LAST_ID + 1))


class Table:
    """Prints a table, each row as soon as it is known."""

    def __init__(self, head: str) -> None:
        print(f"\n{head}\n|---|{'---:|' * (head.count('|') - 2)}", flush=True)

    def row(self, *cells: str | float) -> None:
        """Print a row."""
        print(
            "| " + " | ".join(f"{cell:.1f}" if isinstance(cell, float) else cell for cell in cells) + " |",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurement", choices=["extract", "again", "daily", "rows", "all"])
    parser.add_argument("folder", type=Path, nargs="?", help="MP3s, searched recursively")
    parser.add_argument("--clips", default=",".join(map(str, CLIPS)), help="numbers of clips to extract on Spark")
    parser.add_argument("--again", type=int, default=COMPARED, help="number of clips for `again`")
    parser.add_argument("--tracks", type=int, default=FMA_TRACKS, help="number of tracks for `rows`")
    arguments = parser.parse_args()
    if arguments.measurement != "rows" and arguments.folder is None:
        parser.error(f"{arguments.measurement} needs a folder of MP3s")
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):  # so that the server ends too, even in the background
        signal.signal(asked_to_stop, signal.default_int_handler)
    home = Path(tempfile.mkdtemp(prefix="segue-corpus-"))
    bench = Bench(home)
    try:
        lifecycle.up(bench.server, ["mongo", "kafka"])
        if arguments.measurement in ("extract", "all"):
            measure_extraction(bench, arguments.folder, [int(each) for each in arguments.clips.split(",")])
        if arguments.measurement in ("again", "all"):
            measure_again(bench, arguments.folder, arguments.again)
        if arguments.measurement in ("daily", "all"):
            measure_daily(bench, arguments.folder)
        if arguments.measurement in ("rows", "all"):
            measure_rows(bench, arguments.tracks)
    finally:
        lifecycle.down(bench.server)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
