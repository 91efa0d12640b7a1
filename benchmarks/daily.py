"""Measure a day: a run of `corpus` that finds ten new files, and one that finds nothing new.

    .venv/bin/python benchmarks/daily.py [--days 3]

The benchmark starts its own stack in a temporary folder, on free ports, with 60 clips of half a minute. It
triggers each run through Airflow's REST API, as the UI does, and takes the time until Airflow says that the run
has ended. For each run it prints the time of each task. At the end it prints a table with wall time and the CPU
time of the tasks (see sampling.py). Wall time is only meaningful on a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import numpy as np
import soundfile
from killed import own_stack
from sampling import Sampler, read
from suspended import SAMPLE_RATE, TRACKS, airflow_api, console, write_music

from segue.demo.airflow_api import FINISHED, AirflowApi
from segue.demo.watch import follow, wait_for_dags
from segue.stack import lifecycle

NEW = 10
POLL_S, SAMPLED_S = 0.2, 1.0


def add_clips(folder: Path, day: int) -> None:
    """Write ten further clips, which the metadata table does not name."""
    random = np.random.default_rng(day)
    for number in range(NEW):
        sound = random.normal(0, 0.1, 30 * SAMPLE_RATE)
        soundfile.write(folder / f"new {day}-{number}.ogg", sound, SAMPLE_RATE)


def run(api: AirflowApi) -> tuple[str, float]:
    """Trigger the DAG `corpus`, wait for its end, and return the id of the run and its wall time in seconds."""
    began = time.monotonic()
    run_id = api.trigger("corpus", {})
    while api.run_state("corpus", run_id) not in FINISHED:
        time.sleep(POLL_S)
    wall = time.monotonic() - began
    follow(api, "corpus", run_id, console)  # prints the tasks; raises an error if one has failed
    return run_id, wall


def main() -> None:
    """Start a stack, let days pass, and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=3, help="number of days with ten new files")
    arguments = parser.parse_args()
    os.environ.setdefault("SEGUE_GATE_MAX_OUTLIERS", "1")  # the clips are noise
    runs: dict[str, list[tuple[str, float]]] = {}
    with own_stack(lifecycle.PARTS) as settings, airflow_api(settings) as api:
        music, samples = Path(str(settings.music_dir)), settings.home / "samples.jsonl"
        write_music(music)
        wait_for_dags(api, {"corpus"})
        api.set_paused("corpus", paused=False)
        with Sampler(settings.state_dir, samples, SAMPLED_S).running():
            runs[f"first run, {TRACKS} files"] = [run(api)]
            for day in range(arguments.days):
                add_clips(music, day)
                runs.setdefault("ten new files", []).append(run(api))
                runs.setdefault("nothing new", []).append(run(api))
        tasks = read(samples).tasks
    print("\n| run | runs | wall s, median | CPU s of its tasks, median |\n|---|---:|---:|---:|")
    for name, measured in runs.items():
        wall = statistics.median(each for _, each in measured)
        cpu = statistics.median(
            sum(use.cpu_s for task, use in tasks.items() if task.startswith(f"corpus/{run_id}/"))
            for run_id, _ in measured
        )
        print(f"| {name} | {len(measured)} | {wall:.1f} | {cpu:.1f} |")


if __name__ == "__main__":
    main()
