"""Measure a day: a run of `corpus` that finds ten new files, and one that finds nothing new.

    .venv/bin/python benchmarks/daily.py [--days 3]

The benchmark starts its own stack in a temporary folder, on free ports, with 60 clips of half a minute. It
triggers each run through Airflow's REST API, as the UI does, and takes the time until Airflow says that the run
has ended. For each run it prints the time of each task. At the end it prints a table with wall time and the CPU
time of all processes of the stack. Wall time is only meaningful on a quiet machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile
from killed import own_stack
from suspended import SAMPLE_RATE, TRACKS, airflow_api, console, write_music

from segue.demo.airflow_api import AirflowApi
from segue.demo.watch import follow, wait_for_dags
from segue.settings import Settings
from segue.stack import lifecycle, processes

NEW = 10


def add_clips(folder: Path, day: int) -> None:
    """Write ten further clips, which the metadata table does not name."""
    random = np.random.default_rng(day)
    for number in range(NEW):
        sound = random.normal(0, 0.1, 30 * SAMPLE_RATE)
        soundfile.write(folder / f"new {day}-{number}.ogg", sound, SAMPLE_RATE)


class CpuTime:
    """CPU time of all processes of a stack, of those that have ended too if they lived for a second."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: dict[psutil.Process, float] = {}

    def look(self) -> float:
        """Look at the processes, and return the CPU time of all that were seen so far, in seconds."""
        for process in processes.of(self._settings.state_dir):
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            self._seen[process] = times.user + times.system
        return sum(self._seen.values())


def run(api: AirflowApi, cpu: CpuTime) -> tuple[float, float]:
    """Trigger the DAG `corpus`, follow it to its end, and return wall and CPU time in seconds."""
    before, began = cpu.look(), time.monotonic()
    run_id = api.trigger("corpus", {})
    while api.run_state("corpus", run_id) in ("queued", "running"):
        cpu.look()
        time.sleep(0.5)
    wall = time.monotonic() - began
    follow(api, "corpus", run_id, console)  # prints the tasks; raises an error if one has failed
    return wall, cpu.look() - before


def main() -> None:
    """Start a stack, let days pass, and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=3, help="number of days with ten new files")
    arguments = parser.parse_args()
    costs: dict[str, list[tuple[float, float]]] = {}
    with own_stack(lifecycle.PARTS) as settings, airflow_api(settings) as api:
        music, cpu = Path(str(settings.music_dir)), CpuTime(settings)
        write_music(music)
        wait_for_dags(api, {"corpus"})
        api.set_paused("corpus", paused=False)
        costs[f"first run, {TRACKS} files"] = [run(api, cpu)]
        for day in range(arguments.days):
            add_clips(music, day)
            costs.setdefault("ten new files", []).append(run(api, cpu))
            costs.setdefault("nothing new", []).append(run(api, cpu))
    print("\n| run | runs | wall s, median | CPU s, median |\n|---|---:|---:|---:|")
    for name, measured in costs.items():
        wall, used = (statistics.median(column) for column in zip(*measured, strict=True))
        print(f"| {name} | {len(measured)} | {wall:.1f} | {used:.1f} |")


if __name__ == "__main__":
    main()
