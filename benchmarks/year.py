"""Let a year pass in about an hour, and measure what grows: sizes, a night's time, handles, and what is learned.

    .venv/bin/python benchmarks/year.py [--days 366] [--every 6] [--listens 100] [--minutes 90]

The benchmark starts Kafka, the document server, the API and the live recommendations in a temporary folder, on
free ports. It sets the clock of all its processes (see shifted_clock.py) to a year ago, and then moves it on, day
by day.

- On each day it sends listens to the API, and writes rows and logs of a day's runs for Airflow. Airflow itself
  does not run, because each run would take it some seconds.
- On every sixth night it changes the corpus: a file is added, one is changed, one is removed. Then it calls the
  code of the tasks of `listens`, `corpus` and `recommender`, all in one Spark session.
- Every fourth week it calls the code of the tasks of `maintenance`.

Files get their times from the system's clock, which is ahead. So the times of new files in the lake and among the
logs are corrected after each night. Until then, Delta regards them as new.

It prints a table of four moments: after the first night, and after 1, 6 and 12 months. It exits with 1 if the lake
or the last training had other listens than those that were sent.
"""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import airflow_rows
import httpx
import numpy as np
import psutil
import shifted_clock
import soundfile
import typer
from growth import on_disk
from synthetic import names_of

from segue.api.accounts import Accounts
from segue.connections import kafka, mongo, offsets
from segue.corpus import steps
from segue.listens.lake_table import ListensTable
from segue.recommender.reports import FullTrainingReport
from segue.runs import conclusion, summaries
from segue.settings import PROJECT_DIR, Settings, get_settings
from segue.stack import lifecycle, ports, processes, upkeep
from segue.stack.service import State

PARTS = ("kafka", "mongo", "api", "live")
CORE, CHANGING = 30, 10
"""Tracks that stay and are played, and tracks that come, change and go."""
LISTENERS = 10
CLIP_S, SAMPLE_RATE = 3, 22_050
RUNS_OF_A_DAY = {
    "corpus": 1, "listens": 1, "recommender": 1, "genre_model": 1, "incremental_retraining": 2, "new_tracks": 1
}  # fmt: skip
MAINTENANCE_DAYS = 28
MOMENTS = {1: "first night", 30: "month 1", 182: "month 6", 365: "month 12"}


@dataclass
class Year:
    """A simulated year, and what was seen of it."""

    settings: Settings
    random: np.random.Generator
    tokens: dict[str, str]
    sent: int = 0
    tracks_made: int = CORE
    night_s: list[float] = None  # type: ignore[assignment]
    night_cpu_s: list[float] = None  # type: ignore[assignment]


def write_clip(music: Path, track: int, frequency: float, at: datetime) -> None:
    """Write a clip of a track, with the time of a day."""
    file = music / f"{track}.ogg"
    samples = np.arange(CLIP_S * SAMPLE_RATE) / SAMPLE_RATE
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * frequency * samples), SAMPLE_RATE)
    os.utime(file, (at.timestamp(), at.timestamp()))


def write_metadata(music: Path) -> None:
    """List the clips that are there, by the names that the listens have."""
    rows = ["track_id,file,title,artist"]
    for track in sorted(int(file.stem) for file in music.glob("*.ogg")):
        named = names_of(track)
        rows.append(f"t{track:06},{track}.ogg,{named['track_name']},{named['artist_name']}")
    (music / "metadata.csv").write_text("\n".join(rows) + "\n")


def change_corpus(year: Year, at: datetime) -> None:
    """Add a clip, change another one, and remove the oldest one that nobody plays."""
    music = Path(str(year.settings.music_dir))
    write_clip(music, year.tracks_made, year.random.uniform(100, 4_000), at)
    year.tracks_made += 1
    write_clip(music, year.tracks_made - 2, year.random.uniform(100, 4_000), at)
    (music / f"{year.tracks_made - CHANGING - 1}.ogg").unlink()
    write_metadata(music)


def send(year: Year, day: datetime, count: int) -> None:
    """Send the listens of a day to the API. Each listener prefers some tracks."""
    url = f"http://127.0.0.1:{year.settings.api_port}/1/submit-listens"
    for number, token in enumerate(year.tokens.values()):
        tracks = (3 * number + year.random.geometric(0.2, count // LISTENERS)) % CORE
        payload = [
            {"listened_at": int(day.timestamp()) + 600 * i, "track_metadata": names_of(int(track))}
            for i, track in enumerate(tracks)
        ]
        headers = {"Authorization": f"Token {token}"}
        body = {"listen_type": "import", "payload": payload}
        httpx.post(url, json=body, headers=headers, timeout=60, trust_env=False).raise_for_status()
        year.sent += len(payload)


def run_job(job: str, run_id: str, *arguments: str) -> None:
    """Call the code of a Spark job in this process."""
    spec = importlib.util.spec_from_file_location(job, PROJECT_DIR / "spark_jobs" / f"{job}.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    printed = io.StringIO()
    try:
        with mock.patch.object(sys, "argv", [job, "--run-id", run_id, *arguments]), redirect_stdout(printed):
            module.main()
    except BaseException:
        print(printed.getvalue()[-3_000:])
        raise


def update_corpus(settings: Settings, day: datetime) -> None:
    """Do what the tasks of `corpus` do for a day that has just ended."""
    date, began = f"{day:%Y-%m-%d}", datetime.now(UTC)
    run_id, days = f"corpus/scheduled__{began.isoformat()}", f"{date} to {date} and late days"
    with mongo.database() as database, redirect_stdout(io.StringIO()):
        if steps.has_changed(database, run_id, days, "skip", settings):
            run_job("inventory", run_id, "--night-of", date)
            for job in ("extract", "integrate", "publish"):
                run_job(job, run_id, "--from", date, "--to", date)
                if job == "integrate":
                    steps.check_quality(database, run_id, settings)
            steps.conclude(database, run_id, days, began, settings)


def night(settings: Settings, day: datetime) -> None:
    """Do what the tasks of a night do for the day that has just ended."""
    run_id, date = f"scheduled__{datetime.now(UTC).isoformat()}", f"{day:%Y-%m-%d}"
    run_job("ingest_listens", f"listens/{run_id}", "--from", date, "--to", date)
    update_corpus(settings, day)
    training = f"recommender/{run_id}"
    run_job("train_recommender", training, "--trials", "1")
    window = offsets.whole_topic(kafka.config(settings), settings.listens_topic)
    offsets.commit(kafka.config(settings), settings.retraining_group, window)
    with mongo.database() as database, redirect_stdout(io.StringIO()):
        conclusion.conclude(
            database, training, FullTrainingReport, conclusion.RunSummary(results="MongoDB", seconds=0.0)
        )


def maintain(settings: Settings) -> None:
    """Do what the tasks of `maintenance` do."""
    before = datetime.now(UTC) - timedelta(days=settings.airflow_keep_days)
    upkeep.clean_database(settings, before)
    upkeep.remove_logs(settings.state_dir / "airflow" / "logs", before)
    upkeep.rotate_logs(settings.state_dir / "logs")
    with mongo.database() as database:
        summaries.delete_old(before, source=database)


def correct_times(settings: Settings) -> None:
    """Give the files of the lake and the logs of tasks that were written just now the simulated time."""
    now = time.time()
    for folder in (Path(settings.lake_uri), settings.state_dir / "airflow" / "logs"):
        for file in folder.rglob("*"):
            if file.is_file() and file.stat().st_mtime > now:
                os.utime(file, (now, now))


def measure(year: Year) -> dict[str, str]:
    """Measure what a moment's row of the table has."""
    settings, state = year.settings, year.settings.state_dir
    lake, topics = Path(settings.lake_uri), state / "kafka" / "data"

    def mb(*paths: Path) -> str:
        return f"{sum(map(on_disk, paths)) / 1e6:,.1f} MB"

    with mongo.database() as database:
        counted = {
            name: database[name].estimated_document_count() for name in ("run_summaries", "reports", "tracks")
        }
    of_topics = list(topics.glob(f"{settings.listens_topic}-*"))
    recommendations = list(topics.glob("recommendations-*"))
    rest = [each for each in topics.iterdir() if each not in (*of_topics, *recommendations)]
    measured = {
        "listens sent": f"{year.sent:,}",
        "tracks": f"{counted['tracks']:,}",
        "Airflow's database": mb(*(state / "airflow").glob("airflow.db*")),
        "logs of tasks": mb(state / "airflow" / "logs"),
        "logs of services": mb(state / "logs"),
        "lake, `listens`": mb(lake / "listens"),
        "lake, other tables": mb(*(each for each in lake.iterdir() if each.name != "listens")),
        "registry, database": mb(state / "mlflow" / "mlflow.db"),
        "registry, files": mb(state / "mlflow" / "artifacts"),
        "MongoDB": mb(state / "mongo" / "data"),
        "documents in `run_summaries`": f"{counted['run_summaries']:,}",
        "documents in `reports`": f"{counted['reports']:,}",
        "Kafka, `listens`": mb(*of_topics),
        "Kafka, `recommendations`": mb(*recommendations),
        "Kafka, other topics": mb(*rest),
        "a night, median of the last 5": f"{statistics.median(year.night_s[-5:]):.1f} s, "
        f"{statistics.median(year.night_cpu_s[-5:]):.1f} s of CPU",
    }
    for service in lifecycle.services(settings, PARTS):
        family = processes.of(settings.state_dir, service.name)
        measured[f"{service.name}: handles, threads, memory"] = (
            f"{sum(each.num_fds() for each in family)}, {sum(each.num_threads() for each in family)}, "
            f"{processes.pss_bytes(family) / 1e6:,.0f} MB"
        )
    return measured


def cpu_s() -> float:
    """Return the CPU seconds of this process, its JVM and its workers."""
    me = psutil.Process()
    spent = [me.cpu_times(), *(each.cpu_times() for each in me.children(recursive=True))]
    return sum(each.user + each.system for each in spent) + me.cpu_times().children_user


def live_through(year: Year, days: int, every: int, listens: int, minutes: float) -> dict[str, dict[str, str]]:
    """Let the days pass, or as many as the minutes allow. Return what was measured at each moment."""
    until = time.monotonic() + 60 * minutes
    measured: dict[str, dict[str, str]] = {}
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    wanted, cleaned = dict(MOMENTS), 0
    update_corpus(year.settings, start - timedelta(days=1))  # listens match published tracks only
    correct_times(year.settings)
    for number in range(1, days + 1):
        day = start + timedelta(days=number - 1)
        shifted_clock.set_to(day + timedelta(hours=23))
        send(year, day, listens)
        with redirect_stdout(io.StringIO()):
            for dag_id, runs in RUNS_OF_A_DAY.items():
                for run in range(runs):
                    airflow_rows.write(year.settings, dag_id, day + timedelta(hours=run))
        if number % every and number != days:
            continue
        shifted_clock.set_to(day + timedelta(days=1, minutes=30))
        change_corpus(year, day)
        began, cpu = time.monotonic(), cpu_s()
        night(year.settings, day)
        year.night_s.append(time.monotonic() - began)
        year.night_cpu_s.append(cpu_s() - cpu)
        correct_times(year.settings)
        if number - cleaned >= MAINTENANCE_DAYS:
            maintain(year.settings)
            cleaned = number
        print(f"{day:%Y-%m-%d} {year.night_s[-1]:.1f} s, {year.night_cpu_s[-1]:.1f} s of CPU", flush=True)
        for moment in [each for each in wanted if each <= number]:
            measured[wanted.pop(moment)] = shown = measure(year)
            print(shown, flush=True)
        if time.monotonic() > until:
            measured[f"day {number}"] = measure(year)
            break
    return measured


@contextmanager
def stack() -> Iterator[Year]:
    """Start the services a year ago, with a corpus and accounts."""
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):  # so that the stack ends too, even in the background
        signal.signal(asked_to_stop, signal.default_int_handler)
    home = Path(tempfile.mkdtemp(prefix="segue-year-"))
    settings = Settings(
        home=home,
        jars=Settings().jars_dir,
        api_requests_per_window=1_000_000,
        spark_driver_memory_mb=700,
        spark_master="local[2]",
        **ports.for_a_stack(),
    )
    try:
        lifecycle.up(settings, PARTS, say=print)
        airflow_rows.prepare(settings)
        music = Path(str(settings.music_dir))
        music.mkdir(parents=True)
        random = np.random.default_rng(29)
        for track in range(CORE + CHANGING):
            write_clip(music, track, random.uniform(100, 4_000), datetime.now(UTC))
        write_metadata(music)
        with mongo.client(settings.mongo) as client:
            accounts = Accounts(client[settings.mongo_database])
            tokens = {f"listener-{i}": accounts.add(f"listener-{i}") for i in range(LISTENERS)}
        yield Year(settings, random, tokens, tracks_made=CORE + CHANGING, night_s=[], night_cpu_s=[])
    finally:
        lifecycle.down(settings)
    shutil.rmtree(home)


def is_what_was_sent(year: Year, spark: Any) -> bool:
    """Compare the lake and the last training with what was sent."""
    rows = ListensTable(spark, year.settings.lake_uri).read()
    held, different = rows.count(), rows.select("event_id").distinct().count()
    with mongo.database() as database:
        last = summaries.newest("recommender", FullTrainingReport, source=database)
    screened = last.report.screened if last else None
    print(f"{year.sent:,} listens sent; {held:,} rows in the lake, {different:,} different; {screened}")
    return screened is not None and year.sent == held == different == screened.messages == screened.used


def main(
    days: Annotated[int, typer.Option(help="Days that pass.")] = 366,
    every: Annotated[int, typer.Option(help="The jobs run on each night of this number.")] = 6,
    listens: Annotated[int, typer.Option(help="Listens a day.")] = 100,
    minutes: Annotated[float, typer.Option(help="End after this time, even if fewer days have passed.")] = 90,
) -> None:
    """Simulate the year."""
    shifted_clock.restart_with_it()
    shifted_clock.set_to(datetime.now(UTC) - timedelta(days=days + 1))
    began = time.monotonic()
    with stack() as year:
        get_settings.cache_clear()
        from segue.connections import spark

        session = spark.session("year")
        with mock.patch.object(spark, "job", return_value=nullcontext(session)):
            measured = live_through(year, days, every, listens, minutes)
        states = {each.name: each.state() for each in lifecycle.services(year.settings, PARTS)}
        passed = f"{year.sent // listens} days, {len(year.night_s)} nights"
        print(f"\n{passed}, {(time.monotonic() - began) / 60:.0f} minutes")
        columns = list(measured.values())
        print("| |", " | ".join(measured), "|", sep=" ")
        for name in columns[0]:
            print("|", name, "|", " | ".join(each[name] for each in columns), "|")
        print(f"ill: {[name for name, state in states.items() if state is not State.HEALTHY]}")
        same = is_what_was_sent(year, session)
        session.stop()
    shutil.rmtree(Path(os.environ[shifted_clock.VARIABLE]).parent)
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    typer.run(main)
