"""Measure how many listens a second the API accepts, each acknowledged with acks=all, and the response time.

    .venv/bin/python benchmarks/listens.py [--seconds 20] [--clients 32] [--batch 1] [--processes 2]

The benchmark needs a stack (`segue up`) whose API was started with SEGUE_API_REQUESTS_PER_WINDOW=1000000. The load
comes from the same machine and takes its share of the CPU. ``--batch 1`` sends `single`, a larger one `import`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import socket
import threading
import time
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console

from segue.api.accounts import Accounts
from segue.connections.mongo import database
from segue.errors import StackError
from segue.settings import get_settings
from segue.stack import kafka, listens_api
from segue.stack.service import Service


@dataclass
class Tally:
    """The results of one client."""

    seconds: list[float] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)


def client(token: str, number: int, batch: int, until: float, tally: Tally) -> None:
    """Send one request after the other on one connection, until the time is over."""
    settings = get_settings()
    connection = http.client.HTTPConnection(settings.api_host, settings.api_port, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    at, kind = 1_100_000_000 + number * 10_000_000, "single" if batch == 1 else "import"
    while time.time() < until:
        payload = []
        for _ in range(batch):
            at += 1
            names = {
                "artist_name": f"Artist {at % 997}",
                "track_name": f"Title {at % 9_973}",
                "release_name": "Album",
            }
            info = {"media_player": "benchmark", "duration_ms": 200_000, "tracknumber": 3}
            payload.append({"listened_at": at, "track_metadata": names | {"additional_info": info}})
        body = json.dumps({"listen_type": kind, "payload": payload})
        began = time.perf_counter()
        connection.request("POST", "/1/submit-listens", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            tally.seconds.append(time.perf_counter() - began)
        else:
            tally.refused[answer.status] = tally.refused.get(answer.status, 0) + 1


def process(token: str, first: int, clients: int, batch: int, until: float, results: object) -> None:
    """Run some of the clients."""
    tallies = [Tally() for _ in range(clients)]
    threads = [
        threading.Thread(target=client, args=(token, first + i, batch, until, tally))
        for i, tally in enumerate(tallies)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(tallies)  # type: ignore[attr-defined]  # a multiprocessing queue


def cpu_s(service: Service) -> float:
    """Return the CPU seconds of a service so far. On a busy machine, they say more than wall time."""
    process = service.process()
    if process is None:
        raise StackError(f"{service.name} does not run: start it with `segue up`.")
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--batch", type=int, default=1, help="listens per request")
    parser.add_argument("--processes", type=int, default=2, help="processes that share the clients")
    arguments = parser.parse_args()
    with database() as opened:
        token = Accounts(opened).add(f"benchmark-{time.time_ns()}")
    services = [listens_api.service(settings := get_settings()), kafka.service(settings)]
    before = [cpu_s(service) for service in services]
    until, results = time.time() + arguments.seconds, multiprocessing.Queue()
    share = max(1, arguments.clients // arguments.processes)
    workers = [
        multiprocessing.Process(target=process, args=(token, share * i, share, arguments.batch, until, results))
        for i in range(min(arguments.processes, arguments.clients))
    ]
    began = time.time()
    for worker in workers:
        worker.start()
    tallies = [tally for _ in workers for tally in results.get()]
    elapsed = time.time() - began
    times_ms = np.array([seconds for tally in tallies for seconds in tally.seconds]) * 1000
    refused = {status: sum(t.refused.get(status, 0) for t in tallies) for t in tallies for status in t.refused}
    p50, p95, p99 = np.percentile(times_ms, [50, 95, 99]) if len(times_ms) else (np.nan,) * 3
    accepted = len(times_ms) * arguments.batch
    used = [cpu_s(service) - earlier for service, earlier in zip(services, before, strict=True)]
    api_us, broker_us = (1e6 * seconds / max(1, accepted) for seconds in used)
    Console(highlight=False).print(
        f"{arguments.clients} clients, {arguments.batch} listens a request, {elapsed:.0f} s: "
        f"{accepted / elapsed:,.0f} listens/s accepted; p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms; "
        f"refused {refused or 'none'}; CPU-µs a listen: API {api_us:.0f}, broker {broker_us:.0f}",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
