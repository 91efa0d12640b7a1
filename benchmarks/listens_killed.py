"""Kill services and the lake job at random moments under load, and check that no answered listen is lost.

    .venv/bin/python benchmarks/listens_killed.py [--kills 10] [--parts broker,mongo,api,live,lake] [--seed 1]

The benchmark starts its own stack (broker, document server, API) in a temporary folder, on free ports. Every
client sends each listen until it is answered with 200, as players do. At the end, Kafka, MongoDB and the lake must
each have exactly the listens that were answered with 200. (The API and the recommendations read those in MongoDB.)
Every listener's recommendations must be newer than the listener's last listen. The benchmark prints the counts,
and exits with 1 if a check fails.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from killed import console, kill, own_stack, restart, run_spark_job, spark_job
from pymongo import MongoClient
from synthetic import names_of, publish

from segue.api.accounts import Accounts
from segue.connections import delta_tables, whole_topics
from segue.connections.kafka import config as kafka_config
from segue.listens.events import Listen
from segue.listens.lake_table import TABLE
from segue.listens.store import COLLECTION
from segue.settings import Settings
from segue.stack import documents, kafka, lifecycle, listens_api, live_recommendations

PARTS = ["kafka", "mongo", "api", "live"]
CLIENTS = 8
BATCH = 20
PAUSE_S = 0.05
STANDSTILL_S = 60
"""If a collection has not grown for this long, the benchmark waits no longer for it."""
STALE_S = 300
"""If recommendations have not followed the last listen for this long, the benchmark waits no longer for them."""

Played = set[tuple[str, int]]


class Load:
    """Clients that send listens until the block ends. They repeat each listen until it is answered with 200."""

    def __init__(self, settings: Settings, users: dict[str, str], pause_s: float = PAUSE_S) -> None:
        self._pause_s = pause_s
        self._url = f"http://127.0.0.1:{settings.api_port}/1/submit-listens"
        self._stopping = threading.Event()
        self.answered: Played = set()
        self.last: dict[str, float] = {}  # by user: when the last request was sent that was answered
        self.tries = 0
        self._turns = threading.Semaphore(len(users))  # one for each request that is under way
        self._clients = len(users)
        self._threads = [
            threading.Thread(target=self._run, args=(name, token, number))
            for number, (name, token) in enumerate(users.items())
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Send nothing while the block runs. The requests that are under way are finished first."""
        for _ in range(self._clients):
            self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release(self._clients)

    def _run(self, name: str, token: str, number: int) -> None:
        at = 1_100_000_000 + number * 80_000_000
        with httpx.Client(timeout=120, headers={"Authorization": f"Token {token}"}) as client:
            while not self._stopping.is_set():
                count = 1 if random.random() < 0.5 else BATCH
                times = [at + 60 * i for i in range(count)]
                at = times[-1] + 60
                payload = [{"listened_at": t, "track_metadata": names_of(number)} for t in times]
                body = {"listen_type": "single" if count == 1 else "import", "payload": payload}
                sent = time.time()
                while not self._accepted(client, body):
                    time.sleep(0.2)
                    sent = time.time()
                self.answered.update((name, t) for t in times)
                self.last[name] = sent  # recommendations may be made before the answer is here
                time.sleep(self._pause_s)

    def _accepted(self, client: httpx.Client, body: object) -> bool:
        with self._turns:
            self.tries += 1
            try:
                answer = client.post(self._url, json=body)
            except httpx.TransportError:
                return False
        if answer.is_client_error and answer.status_code != 429:
            raise RuntimeError(answer.text)
        return answer.status_code == 200


LAKE_JOB = ("ingest_listens", "--run-id", "killed/1")


def in_kafka(settings: Settings) -> list[tuple[str, int]]:
    """Read all events, repeated ones too."""
    messages = whole_topics.messages(kafka_config(settings), settings.listens_topic)
    events = [Listen.model_validate_json(message.value) for message in messages]
    return [(event.user_name, event.listened_at) for event in events]


def in_mongodb(settings: Settings, wanted: int, *, matched: bool = True) -> Played:
    """Read the listens in MongoDB, or only the matched ones, once it has caught up or stopped growing."""
    with MongoClient[dict[str, object]](settings.mongo) as client:
        listens = client[settings.mongo_database][COLLECTION]
        began = grown = time.monotonic()
        first = count = listens.count_documents({})
        while count < wanted and time.monotonic() < grown + STANDSTILL_S:
            time.sleep(1)
            before, count = count, listens.count_documents({})
            grown = time.monotonic() if count > before else grown
        if wanted > first:
            console.print(f"MongoDB: {wanted - first:,} behind; {count - first:,} in {grown - began:.0f} s")
        return {
            (str(d["user_name"]), int(str(d["listened_at"])))
            for d in listens.find({"track_id": {"$exists": True}} if matched else {})
        }


def stale(settings: Settings, last: dict[str, float]) -> set[str]:
    """Return the users whose recommendations are older than their last listen, also after `STALE_S`."""
    with MongoClient[dict[str, Any]](settings.mongo, tz_aware=True) as client:
        recommendations = client[settings.mongo_database]["recommendations"]
        until = time.monotonic() + STALE_S
        while True:
            made = {d["_id"]: d["generated_at"].timestamp() for d in recommendations.find()}
            late = {user for user, at in last.items() if made.get(user, 0) < at}
            if not late or time.monotonic() > until:
                return late
            time.sleep(1)


def in_lake(settings: Settings) -> list[tuple[str, int]]:
    """Read the table, repeated rows too."""
    rows = delta_tables.query(f"{settings.lake_uri}/{TABLE}", "SELECT user_name, listened_at FROM rows")
    return [(row["user_name"], row["listened_at"]) for row in rows]


def main() -> None:
    """Kill, count, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10, help="of each part")
    parser.add_argument("--parts", default="broker,mongo,api,live,lake")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with own_stack(PARTS) as settings:
        ok = compare(settings, arguments.parts.split(","), arguments.kills)
    sys.exit(0 if ok else 1)


def add_users(settings: Settings, count: int) -> dict[str, str]:
    """Add accounts. Return their tokens by name."""
    with MongoClient[dict[str, object]](settings.mongo) as client:
        accounts = Accounts(client[settings.mongo_database])  # type: ignore[arg-type]  # documents of any kind
        return {f"listener-{i}": accounts.add(f"listener-{i}") for i in range(count)}


def compare(settings: Settings, parts: list[str], kills: int) -> bool:
    """Kill under load, then compare the listens that were answered with those that are stored."""
    users = add_users(settings, CLIENTS)
    victims = {
        "broker": kafka.service(settings),
        "mongo": documents.service(settings),
        "api": listens_api.service(settings),
        "live": live_recommendations.service(settings),
    }
    publish(settings, CLIENTS)  # one track a client
    restart(settings, PARTS, victims["api"])  # the API looks for new tracks when it starts
    log = settings.home / "lake-job.log"
    with Load(settings, users) as load:
        order = [part for part in victims if part in parts for _ in range(kills)]
        random.shuffle(order)
        for part in order:
            time.sleep(random.uniform(0.5, 4))
            before = len(load.answered)
            kill(victims[part])
            time.sleep(random.uniform(0, 2))
            lifecycle.up(settings, PARTS)
            console.print(
                f"killed {part}: {before:,} listens answered before, {len(load.answered):,} after it was back"
            )
        if "lake" in parts:
            usual_s = run_spark_job(settings, log, *LAKE_JOB)
            for _ in range(kills):
                moment = random.uniform(0.2, 1.0) * usual_s
                with spark_job(settings, log, *LAKE_JOB) as job:
                    time.sleep(moment)
                    done = " (it had ended)" if job.poll() is not None else ""
                console.print(f"killed lake after {moment:.0f} of {usual_s:.0f} s{done}")
        time.sleep(2)
    return each_listen_is_there(settings, load, log if "lake" in parts else None)


def each_listen_is_there(settings: Settings, load: Load, lake_log: Path | None, *, matched: bool = True) -> bool:
    """Compare the listens that were answered with those in Kafka, MongoDB and, if there is a log, the lake."""
    messages = in_kafka(settings)
    found = {"Kafka": set(messages), "MongoDB": in_mongodb(settings, len(load.answered), matched=matched)}
    rows: list[tuple[str, int]] = []
    if lake_log:
        run_spark_job(settings, lake_log, *LAKE_JOB)
        rows = in_lake(settings)
        found["lake"] = set(rows)
    console.print(
        f"{len(load.answered):,} listens answered with 200 in {load.tries:,} requests; "
        f"{len(messages):,} messages in Kafka; {len(rows):,} rows in the lake"
    )
    ok = len(rows) == len(set(rows))
    for place, there in found.items():
        lost, more = len(load.answered - there), len(there - load.answered)
        console.print(f"{place}: {len(there):,} different listens, {lost} lost, {more} never answered")
        ok = ok and lost == 0 and more == 0
    late = stale(settings, load.last)
    console.print(f"{len(load.last)} listeners; recommendations older than the last listen: {sorted(late)}")
    return ok and not late


if __name__ == "__main__":
    main()
