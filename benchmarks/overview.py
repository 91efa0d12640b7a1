"""Measure how long the overview takes to load, on the stack that runs or on a made-up corpus.

    .venv/bin/python benchmarks/overview.py [--loads 5] [--tracks 106574]

With ``--tracks`` the benchmark starts its own stack in a temporary folder. It writes tables of the lake with so
many made-up tracks on 500 days, of which the newest are not published, and one file in fifty is rejected.

Each load comes after the time for which the page keeps what it has read, so everything is read again, but for the
sizes of folders. The stack should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta

import httpx
import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from killed import own_stack

from segue.audio.definition import N_FEATURES
from segue.connections import mongo
from segue.corpus.schema import PARTITION
from segue.overview.state import MAX_AGE_S
from segue.settings import Settings, get_settings
from segue.stack import airflow, lifecycle
from segue.tracks.collection import ANNOUNCED

DAYS, UNPUBLISHED, ONE_REJECTED_IN = 500, 3, 50
REASONS = "UNREADABLE", "TRUNCATED", "SILENT"


def fill(settings: Settings, tracks: int) -> None:
    """Write the tables of the lake and the announced days that the overview reads."""
    last = datetime.now(UTC).date()
    days = [last - timedelta(days=DAYS - 1 - number * DAYS // tracks) for number in range(tracks)]
    paths = [f"{number // 1_000:03}/{number:06}.mp3" for number in range(tracks)]
    everything = pa.table({"track_id": paths, "path": paths, "size_bytes": [500_000] * tracks, PARTITION: days})
    is_rejected = np.arange(tracks) % ONE_REJECTED_IN == 0
    usable, unusable = everything.filter(~is_rejected), everything.filter(is_rejected)
    vectors = np.random.default_rng(0).normal(size=usable.num_rows * N_FEATURES).astype(np.float32)
    features = pa.FixedSizeListArray.from_arrays(vectors, N_FEATURES).cast(pa.list_(pa.float32()))
    reasons = [REASONS[number % len(REASONS)] for number in range(unusable.num_rows)]
    rejects = unusable.append_column("reason", [reasons]).append_column("message", [["made up"] * len(reasons)])
    write_deltalake(f"{settings.lake_uri}/inventory", everything)
    write_deltalake(f"{settings.lake_uri}/features", usable.append_column("features", features))
    write_deltalake(f"{settings.lake_uri}/rejects", rejects)
    published: Counter[date] = Counter(usable[PARTITION].to_pylist())
    with mongo.client(settings.mongo) as client:
        client[settings.mongo_database][ANNOUNCED].insert_many(
            {"_id": str(day), "tracks": number}
            for day, number in published.items()
            if day <= last - timedelta(days=UNPUBLISHED)
        )


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
    parser.add_argument("--tracks", type=int, help="size of a made-up corpus; default: the stack that runs")
    arguments = parser.parse_args()
    running = nullcontext(get_settings()) if arguments.tracks is None else own_stack(lifecycle.PARTS)
    with running as settings:
        if arguments.tracks is not None:
            fill(settings, arguments.tracks)
        login = airflow.login(lifecycle.running(settings))
        with httpx.Client(base_url=login.url, timeout=120, trust_env=False) as client:
            answer = client.post("/auth/token", json={"username": login.username, "password": login.password})
            client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
            taken = list(loads(client, arguments.loads))
    shown = ", ".join(f"{seconds:.2f}" for seconds in taken)
    print(f"Loads: {shown} s. Median {statistics.median(taken):.2f} s, longest {max(taken):.2f} s.")


if __name__ == "__main__":
    main()
