"""Extract a corpus on a cluster, and kill executors on the way.

Takes the folder of the music, the URI of the lake, when to kill (``extracting`` or ``committing``), and the
process ids of the workers. Prints the report as JSON.
"""

from __future__ import annotations

import sys
import time
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import psutil

from segue.connections import spark
from segue.corpus import extraction, inventory, ledger, plan
from segue.corpus.days import Days
from segue.corpus.lake import Lake
from segue.corpus.listing import list_audio
from segue.corpus.metadata import settle
from segue.settings import get_settings

SEEN_ON = date(2026, 3, 10)
EXECUTOR = "CoarseGrainedExecutorBackend"


def kill_executors(workers: list[int]) -> None:
    """Kill the executors of some workers, as a machine that loses its power does."""
    for worker in workers:
        for child in psutil.Process(worker).children(recursive=True):
            if EXECUTOR in " ".join(child.cmdline()):
                child.kill()


def when_some_tasks_are_done(context: Any, kill: Any) -> None:
    """Wait until three tasks of a stage of many tasks are done, then kill."""
    tracker = context.statusTracker()
    while True:
        for stage in tracker.getActiveStageIds():
            info = tracker.getStageInfo(stage)
            if info and info.numTasks > 16 and info.numCompletedTasks >= 3:
                kill()
                return
        time.sleep(0.02)


def main(music: str, lake_uri: str, moment: str, *pids: str) -> None:
    workers = list(map(int, pids))
    plan.MIN_TASK_BYTES = 1  # many small tasks
    with spark.job("losses") as session:
        lake = Lake(session, lake_uri)
        nothing = settle(pd.DataFrame(columns=["track_id", "file"]), SEEN_ON)
        inventory.update(lake, list_audio(Path(music)), nothing, SEEN_ON, get_settings())
        if moment == "extracting":
            kill = (session.sparkContext, lambda: kill_executors(workers[:1]))
            Thread(target=when_some_tasks_are_done, args=kill, daemon=True).start()
        else:
            append = ledger.append

            def append_after_a_loss(*arguments: Any) -> None:
                kill_executors(workers)
                append(*arguments)

            ledger.append = append_after_a_loss
        print(extraction.run(lake, Path(music), Days(), plan.Mode.SKIP).model_dump_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
