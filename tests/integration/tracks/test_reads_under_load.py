"""Spark reads the tracks while others keep the document server busy, and while it is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pymongo import MongoClient, ReplaceOne
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pyspark.sql import SparkSession

from segue.audio.definition import N_FEATURES
from segue.settings import Settings
from segue.stack import documents, lifecycle
from segue.tracks.reading import read_tracks
from segue.tracks.vectors import pack, unpack

pytestmark = pytest.mark.integration

TRACKS = 20_000


@pytest.fixture(scope="module")
def vectors(mongo: Database[Any]) -> Iterator[np.ndarray[Any, Any]]:
    mongo.drop_collection("tracks")
    made = np.random.default_rng(0).normal(size=(TRACKS, N_FEATURES)).astype(np.float32)
    packed = pack(made)
    for start in range(0, TRACKS, 2_000):
        mongo.tracks.insert_many({"_id": f"t{i:06}", "features": packed[i]} for i in range(start, start + 2_000))
    yield made
    mongo.drop_collection("tracks")


def test_every_track_is_read_while_three_clients_scan_and_write(
    spark: SparkSession, settings: Settings, vectors: np.ndarray[Any, Any]
) -> None:
    done, errors, rounds = threading.Event(), [], [0, 0, 0]

    def keep_busy(number: int) -> None:
        try:
            with MongoClient[Any](settings.mongo) as client:
                database = client[settings.mongo_database]
                while not done.is_set():
                    if number:
                        list(database.tracks.find({"title": {"$exists": True}}))
                    else:
                        rows = [ReplaceOne({"_id": i}, {"n": rounds[0]}, upsert=True) for i in range(200)]
                        database.busy.bulk_write(rows)
                    rounds[number] += 1
        except PyMongoError as error:
            errors.append(error)

    others = [threading.Thread(target=keep_busy, args=(number,)) for number in range(3)]
    for each in others:
        each.start()
    try:
        for _ in range(3):
            found = read_tracks(spark, "features").toArrow().sort_by("track_id")
            np.testing.assert_array_equal(unpack(found.column("features")), vectors)
    finally:
        done.set()
        for each in others:
            each.join()
    assert not errors
    assert all(rounds)


@pytest.mark.embedded_documents
def test_a_read_ends_well_though_the_server_is_killed_and_started_again(
    spark: SparkSession, settings: Settings, vectors: np.ndarray[Any, Any]
) -> None:
    server = documents.service(settings)
    killed = threading.Event()

    def kill() -> None:
        # Spark asks for the partitions before its job begins. A kill then is a crash of the job, which is retried.
        while not spark.sparkContext.statusTracker().getActiveJobsIds():
            time.sleep(0.01)
        process = server.process()
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        lifecycle.up(settings, ["mongo"])
        killed.set()

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    read = 0
    while not killed.is_set() or not read:  # one of these reads meets the kill
        found = read_tracks(spark, "features").toArrow().sort_by("track_id")
        np.testing.assert_array_equal(unpack(found.column("features")), vectors)
        read += 1
    killer.join()
