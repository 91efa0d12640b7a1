"""Measure the time from the answer to `submit-listens` to the listener's new recommendations.

    .venv/bin/python benchmarks/live.py [--rates 10,100,1000] [--seconds 120] [--tracks 106574]

The benchmark starts its own stack (broker, document server, API, live recommendations) in a temporary folder, with
a made-up catalogue and champion of that size.

- Many listeners send requests in turn, at fixed times, whether or not earlier requests were answered (an open
  loop). Above 200 listens/s each request is an `import` of 20, because the API's one process cannot take as many
  singles.
- The live recommendations announce a list in Kafka when MongoDB has it. The last announcement before a listener's
  next request counts.
- A reader asks the API for lists that have just been announced, and counts those that it does not show.
- Sampled listeners read their list through the API until it is younger than their listen. This measures the whole
  way directly.
"""

from __future__ import annotations

import argparse
import http.client
import json
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import httpx
import numpy as np
from kafka import KafkaConsumer
from killed import console, own_stack, restart
from listens import cpu_s
from pymongo import MongoClient
from synthetic import names_of, publish

from segue.api.accounts import Accounts
from segue.connections.kafka import config as kafka_config
from segue.settings import Settings
from segue.stack import documents, kafka, listens_api, live_recommendations

PARTS = ["kafka", "mongo", "api", "live"]
LISTENERS = 1_000
SENDERS = 32
SINGLES = 200
"""The highest rate at which each listen is a request of its own."""
BATCH = 20
CATCH_UP_S = 60
PROBE_EVERY_S = 0.5
LOOK_EVERY_S = 0.05
"""How long a sampled listener waits between two reads. The figure may be too high by this time and that of a read.
Without a pause, the reads would take half a core from the measured services. At 100 listens/s the queue would then
grow to seconds."""


@dataclass
class Observed:
    """Times of events by listener, in order, in seconds since the epoch."""

    due: list[float] = field(default_factory=list)
    answered: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    announced: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    took: list[float] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    stale: int = 0
    readable: list[float] = field(default_factory=list)

    def delays(self) -> tuple[list[float], int]:
        """Return the seconds from each answer to the next announcement, and the number of answers without one."""
        found, missing = [], 0
        for user, answers in self.answered.items():
            for answer, following in pairwise([*answers, np.inf]):
                # An announcement may arrive a moment before the answer.
                after = [at for at in self.announced[user] if answer - 0.5 < at < following - 0.5]
                found += [max(0.0, after[-1] - answer)] if after else []
                missing += not after
        return found, missing


class Load:
    """Sends requests at fixed times and observes what follows."""

    def __init__(self, settings: Settings, tokens: dict[str, str], tracks: int) -> None:
        self._settings = settings
        self._tokens = list(tokens.items())
        self._tracks = tracks
        self._first = int(time.time()) - 200_000_000
        self._stopping = threading.Event()
        self._newest: deque[tuple[str, float]] = deque(maxlen=1)
        self._answered: deque[tuple[str, float, float]] = deque(maxlen=1)

    def run(self, rate: float, seconds: float) -> Observed:
        """Send listens at a rate for some seconds, and wait for the last recommendations."""
        seen = Observed()
        self._stopping.clear()
        batch = 1 if rate <= SINGLES else BATCH
        count = int(rate / batch * seconds)
        watchers = [
            threading.Thread(target=each, args=(seen,)) for each in (self._follow, self._read, self._probe)
        ]
        for watcher in watchers:
            watcher.start()
        time.sleep(2)  # until they are at the end of the topic
        began = time.time() + 1
        senders = [
            threading.Thread(target=self._send, args=(seen, began, batch / rate, batch, range(i, count, SENDERS)))
            for i in range(SENDERS)
        ]
        for thread in senders:
            thread.start()
        for thread in senders:
            thread.join()
        until = time.time() + CATCH_UP_S
        while seen.delays()[1] and time.time() < until:
            time.sleep(1)
        self._stopping.set()
        for thread in watchers:
            thread.join()
        self._first += count * batch
        return seen

    def _send(self, seen: Observed, began: float, apart: float, batch: int, numbers: range) -> None:
        random = np.random.default_rng((self._first, numbers.start))
        connection = http.client.HTTPConnection(self._settings.api_host, self._settings.api_port, timeout=60)
        for number in numbers:
            user, token = self._tokens[number % len(self._tokens)]
            payload = [
                {
                    "listened_at": self._first + number * batch + i,
                    "track_metadata": names_of(int(random.integers(self._tracks))),
                }
                for i in range(batch)
            ]
            body = json.dumps({"listen_type": "single" if batch == 1 else "import", "payload": payload})
            headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
            due = began + number * apart
            time.sleep(max(0.0, due - time.time()))
            sent = time.time()
            connection.request("POST", "/1/submit-listens", body, headers)
            answer = connection.getresponse()
            answer.read()
            now = time.time()
            if answer.status == 200:
                seen.answered[user].append(now)
                self._answered.append((user, sent, now))
                seen.took.append(now - due)
            else:
                seen.refused.append(answer.status)

    def _follow(self, seen: Observed) -> None:
        consumer = KafkaConsumer(
            self._settings.recommendations_topic,
            **kafka_config(self._settings),
            auto_offset_reset="latest",
        )
        while not self._stopping.is_set():
            for batch in consumer.poll(50).values():
                now = time.time()
                for record in batch:
                    seen.announced[record.key.decode()].append(now)
                user = batch[-1].key.decode()
                self._newest.append((user, float(json.loads(batch[-1].value)["generated_at"])))
        consumer.close()

    def _read(self, seen: Observed) -> None:
        tokens = dict(self._tokens)
        with httpx.Client(base_url=f"http://127.0.0.1:{self._settings.api_port}") as client:
            while not self._stopping.wait(0.5):
                if not self._newest:
                    continue
                user, announced = self._newest.pop()
                headers = {"Authorization": f"Token {tokens[user]}"}
                began = time.perf_counter()
                answer = client.get(f"/v1/users/{user}/recommendations", headers=headers).raise_for_status()
                seen.reads.append(time.perf_counter() - began)
                read = datetime.fromisoformat(answer.json()["generated_at"]).timestamp()
                seen.stale += read < announced - 0.001  # MongoDB keeps milliseconds

    def _probe(self, seen: Observed) -> None:
        tokens = dict(self._tokens)
        with httpx.Client(base_url=f"http://127.0.0.1:{self._settings.api_port}") as client:
            while not self._stopping.wait(PROBE_EVERY_S):
                if not self._answered:
                    continue
                user, sent, answered = self._answered.pop()
                headers = {"Authorization": f"Token {tokens[user]}"}
                last, at = 0.0, answered
                while not self._stopping.wait(LOOK_EVERY_S):
                    found = client.get(f"/v1/users/{user}/recommendations", headers=headers).raise_for_status()
                    made = datetime.fromisoformat(found.json()["generated_at"]).timestamp()
                    if made > sent and made == last:  # without a stored list, the API ranks anew at each call
                        seen.readable.append(max(0.0, at - answered))
                        break
                    last, at = made, time.time()


def spread(seconds: list[float]) -> str:
    """Format the quantiles of durations."""
    if not seconds:
        return "nothing"
    p50, p95, p99, worst = np.percentile(np.array(seconds) * 1000, [50, 95, 99, 100])
    return f"p50 {p50:,.0f} ms, p95 {p95:,.0f} ms, p99 {p99:,.0f} ms, worst {worst:,.0f} ms"


def main() -> None:
    """Measure each rate in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="10,100,1000", help="listens per second, separated by commas")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--tracks", type=int, default=106_574)
    arguments = parser.parse_args()
    with own_stack(PARTS) as settings:
        publish(settings, arguments.tracks)
        restart(settings, PARTS, listens_api.service(settings), live_recommendations.service(settings))
        with MongoClient(settings.mongo) as client:
            accounts = Accounts(client[settings.mongo_database])
            tokens = {name: accounts.add(name) for name in (f"load-{i}" for i in range(LISTENERS))}
        services = {
            "API": listens_api.service(settings),
            "broker": kafka.service(settings),
            "document server": documents.service(settings),
            "live": live_recommendations.service(settings),
        }
        load = Load(settings, tokens, arguments.tracks)
        load.run(10, 10)  # to warm up all services
        for rate in map(float, arguments.rates.split(",")):
            before = {name: cpu_s(service) for name, service in services.items()}
            began = time.time()
            seen = load.run(rate, arguments.seconds)
            elapsed = time.time() - began
            delays, missing = seen.delays()
            used = ", ".join(
                f"{name} {100 * (cpu_s(each) - before[name]) / elapsed:.0f} %" for name, each in services.items()
            )
            console.print(
                f"{rate:g} listens/s for {arguments.seconds:g} s: {len(seen.took):,} requests answered with 200, "
                f"refused {seen.refused or 'none'}\n"
                f"  answered → new recommendations announced: {spread(delays)}; without {missing}\n"
                f"  answered → readable through the API, {len(seen.readable)} sampled: {spread(seen.readable)}\n"
                f"  due → answered: {spread(seen.took)}\n"
                f"  read through the API once announced: {spread(seen.reads)}; older than announced {seen.stale} "
                f"of {len(seen.reads)}\n"
                f"  of one core: {used}",
                soft_wrap=True,
            )


if __name__ == "__main__":
    main()
