"""Run the whole chain at any size, up to 106,574 half-minute files and 5 million listens.

    .venv/bin/python benchmarks/full.py                    full size: some hours, 25 GB for the clips
    .venv/bin/python benchmarks/full.py --tracks 5000      the short form
    make full-short                                        the form that CI runs

The benchmark makes the clips, starts its own stack, and runs everything through Airflow: a first run of the
corpus, listens of simulated listeners, the lake, both trainings with their nightly settings, the incremental
retraining by its sensor, a live recommendation, a second run of the corpus, then ten new files and one night's
DAGs. Meanwhile it samples the resources of all processes. At the end it writes tables in Markdown (``report.md``
in the home). For each check that fails it prints a sentence, and it then exits with 1. A wait ends with an error
if nothing has changed for 15 minutes.

The same command continues a run that was interrupted, or in which a step failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chain import NEW_FILES, Chain, Progress, Size, go_through
from clips import Recipe, make, path_of
from full_report import markdown
from pymongo import MongoClient
from rich.console import Console
from sampling import Sampler, read
from verdict import faults

from segue.demo import sample
from segue.demo.airflow_api import AirflowApi
from segue.demo.watch import wait_for_dags
from segue.errors import SegueError
from segue.overview.dags import DAGS
from segue.settings import Settings, get_settings
from segue.stack import airflow, lifecycle, ports

TRACKS, LISTENS, LISTENERS = 106_574, 5_000_000, 20_000
FEWEST_LISTENERS = 50
PIECES = 240
ELSEWHERE = ("mongo_uri", "kafka_bootstrap_servers", "lake", "metadata", "mlflow_tracking_uri", "tuning_storage")
"""Settings with which this benchmark would write into the user's own stores."""
IDLE_SAMPLES = 3
CORPUS, SAMPLES = "full", "samples.jsonl"

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run and report."""
    options = _options()
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):  # so that the stack ends too, even in the background
        signal.signal(asked_to_stop, signal.default_int_handler)
    home = (options.home or Settings().home / "full").expanduser().resolve()
    home.mkdir(parents=True, exist_ok=True)
    file = home / "progress.json"
    progress = Progress.load(file)
    clips = (options.clips or home / "clips").expanduser().resolve()
    if not progress.done:
        (home / SAMPLES).unlink(missing_ok=True)
    try:
        recipe = _make_clips(options, clips, home, progress)
        if not progress.done:  # the clips folder has this recipe, so additional files are those of a night
            _forget_new_files(clips, options.tracks)
        progress.save(file)
        if options.only == ["clips"]:
            return 0
        settings = _own_settings(home, clips, progress)
        progress.save(file)
        wrong = _run(options, settings, recipe, progress, home)
    except SegueError as error:
        wrong = [str(error)]
    except KeyboardInterrupt:
        wrong = ["It was stopped. The same command continues it."]
    for sentence in wrong:
        console.print(f"Wrong: {sentence}", style="red", markup=False)
    if not wrong and not options.keep:
        if options.clips is None:
            shutil.rmtree(clips)
        shutil.rmtree(home / CORPUS)
        file.unlink()
        _forget_new_files(clips, options.tracks)
    return int(bool(wrong))


def _run(
    options: argparse.Namespace, settings: Settings, recipe: Recipe, progress: Progress, home: Path
) -> list[str]:
    samples, size = home / SAMPLES, _size(options)
    try:
        lifecycle.up(settings, say=console.print)
        login = airflow.login(settings)
        console.print(f"Airflow is at {login.url}, login {login.username} / {login.password}")
        with ExitStack() as stack:
            api = stack.enter_context(AirflowApi(login.url, login.username, login.password))
            mongo = stack.enter_context(MongoClient[dict[str, Any]](settings.mongo, tz_aware=True))
            sampler = stack.enter_context(Sampler(settings.state_dir, samples, options.every).running())
            wait_for_dags(api, set(DAGS))
            sampler.wait_for(IDLE_SAMPLES)
            database = mongo[settings.mongo_database]
            chain = Chain(settings, recipe, size, progress, api, database, console)
            steps = [step for step in Chain.STEPS if not options.only or step in options.only]
            go_through(chain, steps, progress, home / "progress.json", sampler, console)
            used = read(samples)
            wrong = faults(settings, size, progress, used, database)
        report = markdown(" ".join(sys.argv[1:]), settings, size, recipe, progress, used)
        (home / "report.md").write_text(report)
        print(report)
        return wrong
    finally:
        lifecycle.down(settings, say=console.print)


def _forget_new_files(clips: Path, tracks: int) -> None:
    """Remove the files that a night has added, so that the folder matches its recipe again."""
    for number in range(tracks, tracks + NEW_FILES):
        (clips / path_of(number)).unlink(missing_ok=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=TRACKS, help=f"number of files; default {TRACKS:,}")
    parser.add_argument("--clip-seconds", type=float, default=30, help="length of a clip in seconds; default 30")
    parser.add_argument("--listens", type=int, help=f"default {LISTENS:,} at full size, fewer in proportion")
    parser.add_argument("--listeners", type=int, help=f"default {LISTENERS:,} at full size, fewer in proportion")
    parser.add_argument(
        "--trials", type=int, help="trials of the genre search and the recommender; default as at night"
    )
    parser.add_argument(
        "--pieces", type=int, default=PIECES, help=f"pieces of the sample corpus; default {PIECES}"
    )
    parser.add_argument(
        "--home", type=Path, help="folder of the stack and of the results; default <SEGUE_HOME>/full"
    )
    parser.add_argument("--clips", type=Path, help="permanent folder for the clips; default one in the home")
    parser.add_argument(
        "--sample", type=Path, help="permanent folder for the sample corpus; default one in the home"
    )
    parser.add_argument("--every", type=float, default=10, help="seconds between two samples; default 10")
    parser.add_argument("--keep", action="store_true", help="keep all files at the end")
    parser.add_argument(
        "--only", nargs="+", choices=("clips", *Chain.STEPS), default=[], help="do only these steps"
    )
    return parser.parse_args()


def _size(options: argparse.Namespace) -> Size:
    share = options.tracks / TRACKS
    trials = {"trials": options.trials} if options.trials else {}
    return Size(
        options.tracks,
        options.listens or round(LISTENS * share),
        options.listeners or max(FEWEST_LISTENERS, round(LISTENERS * share)),
        trials,
        trials,
    )


def _make_clips(options: argparse.Namespace, clips: Path, home: Path, progress: Progress) -> Recipe:
    # A separate folder: another number of pieces would replace the music of `make demo`.
    pieces = (options.sample or home / "pieces").expanduser().resolve()
    made = sample.render(pieces, pieces=options.pieces)
    console.print(f"{made.pieces} pieces in {pieces}; {made.rendered} rendered now, in {made.seconds:.0f} s.")
    recipe, shown = Recipe(pieces, options.tracks, options.clip_seconds), 0

    def show(done: int) -> None:
        nonlocal shown
        if done * 10 // options.tracks > shown:
            shown = done * 10 // options.tracks
            console.print(f"{done:,} of {options.tracks:,} clips are there.")

    manifest = make(recipe, clips, show)
    progress.rejected = dict(manifest["rejected"])
    console.print(f"{manifest['tracks']:,} clips, {manifest['bytes'] / 1e9:.2f} GB, in {clips}.")
    return recipe


def _own_settings(home: Path, clips: Path, progress: Progress) -> Settings:
    """Make the settings of a separate stack, and apply them to this process."""
    if not progress.ports:
        progress.ports = ports.for_a_stack()
    for variable in (f"SEGUE_{name.upper()}" for name in ELSEWHERE):
        if os.environ.pop(variable, None) is not None:
            console.print(f"{variable} is ignored: this benchmark has a stack of its own.")
    settings = Settings(home=home, corpus=CORPUS, jars=Settings().jars_dir, music=clips, **progress.ports)
    os.environ.update(settings.environment)
    get_settings.cache_clear()
    return settings


if __name__ == "__main__":
    sys.exit(main())
