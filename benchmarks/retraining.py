"""Measure the time from the last listen of a batch until the retrained recommender serves.

    .venv/bin/python benchmarks/retraining.py [--promotions 10] [--listens 500]

The benchmark needs what `make demo` leaves running: Airflow with the DAG `incremental_retraining` unpaused, and a
champion. It sends each batch when the DAG's sensor waits. The time begins when the broker has acknowledged the
whole batch, and ends when the API ranks with the newly promoted model. Batches after which the gate keeps the
champion are counted separately.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
import numpy as np
from killed import console

from segue.api.accounts import Accounts
from segue.connections.mongo import database
from segue.demo.airflow_api import FINISHED, AirflowApi
from segue.demo.listeners import audience_of, produce
from segue.demo.watch import wait_until_deferred
from segue.errors import StackError
from segue.settings import get_settings
from segue.stack import airflow

DAG = "incremental_retraining"
LISTENERS, SEED = 200, 2026
"""The audience of the demo: mostly listeners whom the champion knows."""
PROMOTED_S = 30
"""Seconds to wait after the run has ended. If no new model serves by then, none was promoted."""


def main() -> None:
    """Send batches and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--promotions", type=int, default=10, help="number of promotions to measure")
    parser.add_argument(
        "--listens", type=int, default=500, help="listens in a batch; at least as many as the sensor waits for"
    )
    arguments = parser.parse_args()
    settings = get_settings()
    audience = audience_of(settings, listeners=LISTENERS, seed=SEED)
    with database() as opened:
        name = f"benchmark-{time.time_ns()}"
        token = Accounts(opened).add(name)
    url = f"http://127.0.0.1:{settings.api_port}/v1/users/{name}/recommendations"
    login = airflow.login(settings)
    taken: list[float] = []
    with (
        httpx.Client(headers={"Authorization": f"Token {token}"}, trust_env=False) as client,
        AirflowApi(login.url, login.username, login.password) as api,
    ):

        def serving() -> str:
            answer = client.get(url, params={"count": 1}, timeout=30)
            return str(answer.raise_for_status().json()["model_version"])

        def promoted(run: str, before: str) -> str | None:
            """Wait for a new champion; return None if the run ends without one."""
            until = np.inf
            while time.monotonic() < until:
                time.sleep(0.25)
                if (version := serving()) != before:
                    return version
                state = api.run_state(DAG, run)
                if state == "failed":
                    raise StackError(f"The run {run} of {DAG} failed: look at it in the Airflow UI.")
                if state in FINISHED:
                    until = min(until, time.monotonic() + PROMOTED_S)
            return None

        for batch in count(1):
            if len(taken) == arguments.promotions:
                break
            run, before, now = wait_until_deferred(api, DAG), serving(), datetime.now(UTC)
            produce(settings, audience.play(events=arguments.listens, start=now - timedelta(hours=1), end=now))
            began = time.monotonic()
            version = promoted(run, before)
            seconds = time.monotonic() - began
            if version is not None:
                taken.append(seconds)
            outcome = f"version {version} serves after {seconds:.1f} s" if version else "the champion was kept"
            console.print(f"batch {batch} of {arguments.listens} listens: {outcome}")
    console.print(f"{len(taken)} promoted: median {np.median(taken):.1f} s, worst {max(taken):.1f} s")


if __name__ == "__main__":
    main()
