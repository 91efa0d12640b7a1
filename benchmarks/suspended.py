"""Suspend services with SIGSTOP for minutes, let them continue, and check that nothing is lost or done twice.

    .venv/bin/python benchmarks/suspended.py [kafka=1.5 kafka+live scheduler@extract=1.5 stack@extract=11 …]

Each argument is one cycle. It names a service, several services joined by ``+``, or ``stack`` for all of them, as
when the lid of a laptop is closed. ``=`` is followed by the minutes, which are 11 by default. Without an argument,
each service has a cycle.

The benchmark starts its own stack in a temporary folder, on free ports, with a small corpus. Clients send listens
all the time, and repeat each until it is answered with 200. With ``@extract`` or ``@publish``, the cycle triggers
the DAG `corpus` in the mode *force* and suspends the services while that task is running.

After each cycle the benchmark prints how long it took until all services were healthy, whether that needed `segue
up`, how the run ended, and what `segue status` shows. At the end, Kafka, MongoDB and the lake must each have
exactly the listens that were answered with 200. The benchmark exits with 1 if a check fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from killed import own_stack
from listens_killed import Load, add_users, each_listen_is_there
from pymongo import MongoClient
from synthetic import champion, names_of

from segue.connections.registry import Registry
from segue.connections.windows import Offsets
from segue.console import PlainConsole
from segue.demo.airflow_api import FINISHED, AirflowApi
from segue.demo.watch import follow, wait_for_dags
from segue.recommender.candidate import Lineage
from segue.recommender.model import NAME
from segue.settings import Settings
from segue.stack import airflow, lifecycle, processes
from segue.stack.service import State

console = PlainConsole()

MINUTES = 11.0
CLIENTS = 4
PAUSE_S = 2.0
TRACKS = 60
SAMPLE_RATE = 22_050
HEALTHY_S = 180
"""Services that are not healthy after this time are given to `segue up`."""
FINISHED_S = 1_800
"""Longest time from the end of a suspension to the end of the run."""


def write_music(folder: Path) -> None:
    """Write half-minute clips, with the names that `synthetic.names_of` gives the tracks."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(29)
    at = np.arange(30 * SAMPLE_RATE) / SAMPLE_RATE
    rows = ["track_id,file,title,artist,date_created"]
    for track in range(TRACKS):
        sound = np.sin(2 * np.pi * random.uniform(100, 2_000, (4, 1)) * at).mean(axis=0)
        soundfile.write(folder / f"{track}.ogg", 0.5 * sound + random.normal(0, 0.02, len(at)), SAMPLE_RATE)
        named = names_of(track)
        rows.append(f"t{track:06},{track}.ogg,{named['track_name']},{named['artist_name']},2026-01-01")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")


def promote_a_champion(settings: Settings) -> None:
    """Register a recommender of these tracks, and let it serve."""
    registry = Registry(settings)
    tags = Lineage(Offsets({})).tags()
    version = registry.register(NAME, champion(TRACKS).save, parameters={}, metrics={}, tags=tags, report={})
    registry.promote(version)


@contextmanager
def airflow_api(settings: Settings) -> Iterator[AirflowApi]:
    """Log in to Airflow."""
    login = airflow.login(settings)
    with AirflowApi(login.url, login.username, login.password) as api:
        yield api


def start_run(settings: Settings, task: str) -> str:
    """Trigger the DAG `corpus`, and return the id of the run when the task is at work."""
    with airflow_api(settings) as api:
        run_id = api.trigger("corpus", {"mode": "force"})
        while not any(each.task_id == task and each.state == "running" for each in api.tasks("corpus", run_id)):
            if api.run_state("corpus", run_id) in FINISHED:
                raise RuntimeError(f"The run ended before {task!r} was seen running.")
            time.sleep(1)
    time.sleep(12)  # spark-submit takes some ten seconds until its job is at work
    return run_id


def suspend(settings: Settings, names: list[str], minutes: float) -> None:
    """Suspend services with their children for some minutes. Print what `segue status` shows meanwhile."""
    victims = [process for name in names for process in processes.of(settings.state_dir, name)]
    for process in victims:
        process.suspend()
    began = time.monotonic()
    shown = {line.split()[0]: line for line in status(settings).splitlines() if line.strip()}
    told = sum("suspended" in shown.get(name, "") for name in names)
    console.print(f"`segue status` shows {told} of {len(names)} as suspended")
    time.sleep(max(0.0, 60 * minutes - (time.monotonic() - began)))
    processes.resume(victims)


def status(settings: Settings) -> str:
    """Return what `segue status` prints."""
    command = [str(Path(sys.prefix) / "bin" / "segue"), "status"]
    shown = subprocess.run(
        command, env=os.environ | settings.environment, capture_output=True, text=True, check=False
    )
    return shown.stdout + shown.stderr


def recover(settings: Settings) -> None:
    """Wait until all services are healthy, and help with `segue up` if they are not in time."""
    began = time.monotonic()
    while ill := [each.name for each in lifecycle.services(settings) if each.state() is not State.HEALTHY]:
        if time.monotonic() - began > HEALTHY_S:
            console.print(f"not healthy after {HEALTHY_S} s: {', '.join(ill)}; `segue up`")
            lifecycle.up(settings, say=console.print)
            break
        time.sleep(1)
    console.print(f"all services are healthy after {time.monotonic() - began:.0f} s")
    for service in lifecycle.services(settings, ["api", "live"]):
        family = processes.of(settings.state_dir, service.name)
        held = (
            f"{sum(each.num_fds() for each in family)} file handles, {sum(each.num_threads() for each in family)}"
        )
        console.print(f"{service.name} has {held} threads")


def finish_run(settings: Settings, run_id: str) -> bool:
    """Wait for the end of the run. Return whether it succeeded."""
    began = time.monotonic()
    with airflow_api(settings) as api:
        while (state := api.run_state("corpus", run_id)) not in FINISHED:
            if time.monotonic() - began > FINISHED_S:
                break
            time.sleep(2)
        tries = {each.task_id: each.try_number for each in api.tasks("corpus", run_id) if each.try_number > 1}
    console.print(f"the run is {state} {time.monotonic() - began:.0f} s later; tasks with several tries: {tries}")
    with MongoClient[dict[str, object]](settings.mongo) as client:
        tracks = client[settings.mongo_database]["tracks"].count_documents({})
    console.print(f"{tracks} of {TRACKS} tracks are published")
    return state == "success" and tracks == TRACKS


@dataclass(frozen=True)
class Cycle:
    """One suspension.

    Parameters
    ----------
    name : str
        The services, as on the command line.
    minutes : float
    during : str
        Task of the DAG `corpus` that runs meanwhile, or empty.
    """

    name: str
    minutes: float
    during: str

    @classmethod
    def of(cls, argument: str) -> Cycle:
        """Read an argument of the command line."""
        what, _, minutes = argument.partition("=")
        name, _, during = what.partition("@")
        return cls(name, float(minutes or MINUTES), during)


def try_it(settings: Settings, load: Load, cycle: Cycle) -> bool:
    """Suspend, continue, and check one cycle."""
    everything = [each.name for each in lifecycle.services(settings)]
    names = everything if cycle.name == "stack" else cycle.name.split("+")
    during = f"during {cycle.during}" if cycle.during else "during no run"
    console.print(f"--- {time.strftime('%H:%M:%S')} {cycle.name}, {cycle.minutes:g} minutes, {during}")
    run_id = start_run(settings, cycle.during) if cycle.during else None
    before = len(load.answered)
    suspend(settings, names, cycle.minutes)
    console.print(
        f"{time.strftime('%H:%M:%S')} continued; {len(load.answered) - before:,} listens answered meanwhile"
    )
    began = len(load.answered)
    recover(settings)
    ok = run_id is None or finish_run(settings, run_id)
    console.print(status(settings))
    console.print(f"{len(load.answered) - began:,} listens answered since then")
    return ok


def main() -> None:
    """Start a stack, suspend its services, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cycles", nargs="*", type=Cycle.of, help="such as stack, kafka=1.5 or scheduler@extract")
    arguments = parser.parse_args()
    with own_stack(lifecycle.PARTS) as settings:
        ok = suspend_and_compare(settings, arguments.cycles)
    sys.exit(0 if ok else 1)


def suspend_and_compare(settings: Settings, cycles: list[Cycle]) -> bool:
    """Prepare the corpus, run the cycles under load, and compare the listens."""
    write_music(Path(str(settings.music_dir)))
    with airflow_api(settings) as api:
        wait_for_dags(api, {"corpus"})
        api.set_paused("corpus", paused=False)
        follow(api, "corpus", api.trigger("corpus", {}), console)
    promote_a_champion(settings)
    with Load(settings, add_users(settings, CLIENTS), PAUSE_S) as load:
        while not load.answered:
            time.sleep(1)
        every = cycles or [Cycle(each.name, MINUTES, "") for each in lifecycle.services(settings)]
        results = [try_it(settings, load, each) for each in every]
        time.sleep(2 * PAUSE_S)
    return each_listen_is_there(settings, load, settings.home / "lake-job.log") and all(results)


if __name__ == "__main__":
    main()
