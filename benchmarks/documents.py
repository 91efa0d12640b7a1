"""Measure a document server at the size of a corpus: CPU and memory of each step of a day.

``.venv/bin/python benchmarks/documents.py secantusd-rs --tracks 106574`` starts its own server in a temporary
folder, as the stack does. The documents are like those that Segue publishes, with features as one float32 binary.
For each step it prints wall time, the server's CPU, and the server's memory (PSS): the peak during the step and
the value after it.

- ``load``: insert all tracks, without waiting for the journal (only the following steps are Segue's);
- ``genre``, ``recommender``: read as a training does through Spark's connector: ranges of ``_id``, two at a time;
- ``api``: read the catalogue as the API does: one find without features;
- ``publish``: replace whole documents by their ids in batches of 512, two at a time, with the journal.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bson
import numpy as np
import psutil
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReplaceOne
from pymongo.write_concern import WriteConcern

from segue.settings import get_settings
from segue.stack import documents, memory, processes
from segue.stack.document_servers import WIREDTIGER_CONFIG, WIREDTIGER_FILE, choose
from segue.tracks.collection import INDEXES

NOISE = np.random.default_rng(1).standard_normal(4_000_000, dtype=np.float32)
READS = {
    "genre": ("features", "genre", "artist", "split", "partition_date"),
    "recommender": ("features", "artist", "genre"),
}


def document(number: int) -> dict[str, Any]:
    """Make a document of 2.5 kB, as published."""
    start = number * 7 % (NOISE.size - 518)
    return {
        "_id": f"{number:06d}",
        "title": f"Title of the track {number}",
        "artist": f"Artist {number % 16_000}",
        "album": f"Album {number % 30_000}",
        "genre": f"Genre {number % 16}" if number % 2 else None,
        "split": "training",
        "year": 1990 + number % 30,
        "duration_s": 29.98,
        "path": f"{number // 1000:03d}/{number:06d}.mp3",
        "feature_version": "3",
        "features": NOISE[start : start + 518].tobytes(),
        "flags": [],
        "partition_date": f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}",
    }


class Steps:
    """The measured steps, on one collection."""

    def __init__(self, client: MongoClient[Any], count: int, writes: int) -> None:
        self.tracks = client["segue"]["tracks"]
        self.raw = client["segue"].get_collection("tracks", CodecOptions(document_class=RawBSONDocument))
        self.count, self.writes = count, writes

    def load(self) -> None:
        """Insert all tracks, then create Segue's indexes."""
        unsafe = self.tracks.with_options(write_concern=WriteConcern(1))
        for batch in batches(self.count, 2000):
            unsafe.insert_many([RawBSONDocument(bson.encode(document(number))) for number in batch], ordered=False)
        for field in INDEXES:
            self.tracks.create_index(field)

    def read(self, fields: tuple[str, ...], ranges: int = 8) -> None:
        """Read some fields of all tracks, by ranges of their ids."""
        bounds = [f"{self.count * part // ranges:06d}" for part in range(ranges)] + ["~"]

        def one(part: int) -> int:
            within = {"$match": {"_id": {"$gte": bounds[part], "$lt": bounds[part + 1]}}}
            return sum(1 for _ in self.raw.aggregate([within, {"$project": dict.fromkeys(fields, 1)}]))

        with ThreadPoolExecutor(2) as pool:
            self._complete(sum(pool.map(one, range(ranges))))

    def api(self) -> None:
        """Read the catalogue in one find."""
        wanted = dict.fromkeys(("title", "artist", "album", "duration_s", "recording_mbid"), 1)
        self._complete(sum(1 for _ in self.raw.find({}, wanted)))

    def publish(self) -> None:
        """Replace tracks by their ids."""

        def one(batch: range) -> None:
            replaced = [(f"{number:06d}", document(number)) for number in batch]
            self.tracks.bulk_write([ReplaceOne({"_id": key}, track, upsert=True) for key, track in replaced])

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, batches(min(self.count, self.writes), 512)))

    def _complete(self, read: int) -> None:
        if read != self.count:
            raise SystemExit(f"{read} of {self.count} tracks were read")


def batches(count: int, size: int) -> Iterator[range]:
    """Divide the numbers below `count` into batches."""
    return (range(start, min(count, start + size)) for start in range(0, count, size))


def measured(name: str, process: psutil.Process, step: Callable[[], None]) -> None:
    """Run a step, and print a row of the table."""
    highest, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.3):
            highest[0] = max(highest[0], processes.pss_bytes([process]))

    watching = threading.Thread(target=watch)
    watching.start()
    began, before = time.monotonic(), process.cpu_times()
    step()
    wall, after = time.monotonic() - began, process.cpu_times()
    ended.set()
    watching.join()
    cpu = after.user + after.system - before.user - before.system
    held = processes.pss_bytes([process])
    print(
        f"| {name} | {wall:.1f} | {cpu:.1f} | {max(highest[0], held) / 1e6:,.0f} | {held / 1e6:,.0f} |", flush=True
    )


def main() -> None:
    """Measure one server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="secantusd-py, secantusd-rs, mongod, or a path")
    parser.add_argument("--tracks", type=int, default=20_000)
    parser.add_argument("--writes", type=int, default=10**9, help="how many tracks each publication writes")
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--cache-mb", type=int, default=memory.document_cache_mb(get_settings()))
    parser.add_argument("--port", type=int, default=27_555)
    arguments = parser.parse_args()
    server = choose(arguments.server, None)
    with tempfile.TemporaryDirectory() as folder:
        config, data = Path(folder) / "config", Path(folder) / "data"
        config.touch()
        data.mkdir()
        (data / WIREDTIGER_FILE).write_text(WIREDTIGER_CONFIG)
        command = server.command(
            port=arguments.port, data=data, config=config, cache_mb=arguments.cache_mb, auth=False
        )
        process = psutil.Popen(
            command, env=os.environ | documents.ENVIRONMENT.get(server.kind, {}), stdout=subprocess.DEVNULL
        )
        try:
            uri = f"mongodb://127.0.0.1:{arguments.port}/?directConnection=true&w=majority&journal=true"
            with MongoClient[Any](uri) as client:
                steps = Steps(client, arguments.tracks, arguments.writes)
                print(f"{server.kind}, {arguments.tracks:,} tracks, cache {arguments.cache_mb} MiB\n")
                print("| step | wall s | server CPU s | highest MB | MB after |\n|---|---:|---:|---:|---:|")
                measured("load", process, steps.load)
                for day in range(1, arguments.days + 1):
                    for name, fields in READS.items():
                        measured(f"{day}: {name}", process, lambda fields=fields: steps.read(fields))
                    measured(f"{day}: api", process, steps.api)
                    measured(f"{day}: publish", process, steps.publish)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
