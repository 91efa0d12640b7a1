"""Measure how long the overview takes to load, on the stack that runs.

    .venv/bin/python benchmarks/overview.py [--loads 5]

Each load comes after the time for which the page keeps what it has read, so everything is read again, but for the
sizes of folders. The stack should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator

import httpx

from segue.overview.state import MAX_AGE_S
from segue.settings import get_settings
from segue.stack import airflow, lifecycle


def loads(client: httpx.Client, number: int, pause_s: float = MAX_AGE_S + 1) -> Iterator[float]:
    """Load the page a few times, and yield the seconds that each took."""
    for _ in range(number):
        time.sleep(pause_s)
        began = time.monotonic()
        page = client.get("/segue/")
        seconds = time.monotonic() - began
        page.raise_for_status()
        if "does not answer" in page.text or "<h2>Corpus</h2>" not in page.text:
            raise SystemExit(
                "A part of the overview cannot be read, so its time means nothing. See `segue status`."
            )
        yield seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=5)
    arguments = parser.parse_args()
    login = airflow.login(lifecycle.running(get_settings()))
    with httpx.Client(base_url=login.url, timeout=120, trust_env=False) as client:
        answer = client.post("/auth/token", json={"username": login.username, "password": login.password})
        client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
        taken = list(loads(client, arguments.loads))
    shown = ", ".join(f"{seconds:.2f}" for seconds in taken)
    print(f"Loads: {shown} s. Median {statistics.median(taken):.2f} s, longest {max(taken):.2f} s.")


if __name__ == "__main__":
    main()
