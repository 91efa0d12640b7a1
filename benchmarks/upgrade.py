"""Upgrade a running stack in place, while listens arrive and a job runs, and check that nothing is lost.

    .venv/bin/python benchmarks/upgrade.py [--since 8ab91c5]

The benchmark checks an older version out into a temporary folder, installs it, and starts its stack on free ports.
Clients send listens all the time, and repeat each until it is answered with 200. While the DAG `corpus` extracts a
small corpus, the benchmark does what a user does: it checks the present commit out in the same folder, and runs
``make setup`` and ``segue up``. Afterwards the following must hold:

- Every service runs with the new code and is healthy.
- The run of `corpus` succeeds; tasks may be retried.
- Kafka, MongoDB and the lake each have exactly the listens that were answered with 200 at any time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from listens_killed import Load, each_listen_is_there
from suspended import (
    CLIENTS,
    PAUSE_S,
    airflow_api,
    console,
    finish_run,
    promote_a_champion,
    recover,
    start_run,
    write_music,
)

from segue.demo.watch import wait_for_dags
from segue.settings import PROJECT_DIR, Settings
from segue.stack import lifecycle, ports


class Checkout:
    """A folder with some version of Segue, installed as a user installs it."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
        self._environment = inherited | settings.environment
        subprocess.run(["git", "clone", "--quiet", "--shared", PROJECT_DIR, folder], check=True)

    def install(self, commit: str) -> None:
        """Check a commit out and install it."""
        subprocess.run(["git", "checkout", "--quiet", commit], cwd=self._folder, check=True)
        subprocess.run(["make", "setup"], cwd=self._folder, check=True)

    def segue(self, *arguments: str) -> str:
        """Run the installed command; return what it prints."""
        answer = subprocess.run(
            [self._folder / ".venv/bin/segue", *arguments],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return answer.stdout


def main() -> None:
    """Start the old version, upgrade it, compare."""
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked_to_stop, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--since", default="8ab91c5", help="commit of the older version")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="segue-upgrade-"))
    settings = Settings(
        home=folder / "home",
        jars=folder / "code" / ".segue" / "jars",
        api_requests_per_window=1_000_000,
        spark_driver_memory_mb=1024,
        **ports.for_a_stack(),
    )
    try:
        ok = upgrade(settings, Checkout(folder / "code", settings), arguments.since)
    finally:
        lifecycle.down(settings)
    shutil.rmtree(folder)
    sys.exit(0 if ok else 1)


def upgrade(settings: Settings, code: Checkout, since: str) -> bool:
    """Run the old version, replace it by the present commit, and check what has become of its work."""
    now = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT_DIR, capture_output=True, text=True, check=True)
    code.install(since)
    write_music(Path(str(settings.music_dir)))
    code.segue("up")
    with airflow_api(settings) as api:
        wait_for_dags(api, {"corpus"})
        api.set_paused("corpus", paused=False)
    names = [f"listener-{number}" for number in range(CLIENTS)]
    users = {name: code.segue("users", "add", name).split()[0] for name in names}
    before = {each.name: each.process() for each in lifecycle.services(settings)}
    with Load(settings, users, PAUSE_S) as load:
        run_id = start_run(settings, "extract")
        console.print(f"{len(load.answered):,} listens answered by {since}; a run extracts")
        code.install(now.stdout.strip())
        began, answered = time.monotonic(), len(load.answered)
        console.print(code.segue("up"))
        console.print(f"`segue up` took {time.monotonic() - began:.0f} s")
        recover(settings)
        after = {each.name: each.process() for each in lifecycle.services(settings)}
        kept = [name for name in before if before[name] == after[name]]
        ok = finish_run(settings, run_id) and not kept
        console.print(f"services that were not restarted: {', '.join(kept) or 'none'}")
        promote_a_champion(settings)
        time.sleep(10 * PAUSE_S)
        console.print(f"{len(load.answered) - answered:,} listens answered since `segue up` began")
        time.sleep(2 * PAUSE_S)
    return each_listen_is_there(settings, load, settings.home / "lake-job.log", matched=False) and ok


if __name__ == "__main__":
    main()
