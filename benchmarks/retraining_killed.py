"""Kill the incremental retraining at random moments, and check that each listen counts exactly once.

    .venv/bin/python benchmarks/retraining_killed.py [--runs 50] [--seed 1]

The benchmark does what the DAG `incremental_retraining` does, task by task, on its own broker and document server.
More listens arrive, their offsets become the window, the Spark job learns the window, and the window is committed.
Most jobs are killed with -9 while they run, before or after they have promoted. Some jobs succeed, but their
window is not committed. At the end

- the committed windows must cover the whole topic, without gap or overlap, and
- the champion's number of listeners of each track, and its number of listens, must be those that the benchmark
  counts in Kafka up to the offsets that the champion has seen.

The benchmark prints the counts, and exits with 1 if a check fails.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from killed import console, own_stack, run_spark_job, spark_job
from pymongo import MongoClient

from segue.audio.definition import N_FEATURES
from segue.connections import offsets, whole_topics
from segue.connections.kafka import config as kafka_config
from segue.connections.registry import Registry
from segue.connections.windows import OffsetWindow
from segue.demo.listeners import Audience, CorpusTrack, produce
from segue.listens.events import Listen
from segue.recommender.candidate import Lineage
from segue.recommender.model import NAME, Recommender
from segue.settings import Settings
from segue.tracks.vectors import pack

START = datetime(2026, 1, 1, tzinfo=UTC)
PAST = 2_500
KILLED, UNCOMMITTED = 0.6, 0.15
"""Share of the runs that are killed, and share of the runs whose window is not committed."""


def an_audience() -> Audience:
    """Make up listeners of 120 made-up tracks."""
    numbers = np.random.default_rng(0)
    centres = numbers.normal(size=(4, 12))
    twelve = centres[np.arange(120) % 4] + numbers.normal(size=(120, 12))
    vectors = np.take(twelve, np.arange(N_FEATURES) % 12, axis=1)
    tracks = [CorpusTrack(f"r{i:03}", f"Piece {i}", f"genre {i % 4}", vectors[i]) for i in range(120)]
    return Audience(tracks, listeners=40, seed=2)


def publish(settings: Settings, audience: Audience) -> None:
    """Publish the tracks in MongoDB."""
    documents = [
        {
            "_id": each.track_id,
            "title": each.title,
            "artist": f"artist {i // 3}",
            "features": pack(each.features)[0],
        }
        for i, each in enumerate(audience.tracks)
    ]
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        client[settings.mongo_database]["tracks"].insert_many(documents)


class Series:
    """One run of the DAG after the other."""

    def __init__(self, settings: Settings, audience: Audience) -> None:
        self.settings, self.audience = settings, audience
        self.log = settings.home / "jobs.log"
        self.kafka = kafka_config(settings)
        self.sent: list[Listen] = []
        self.committed: list[OffsetWindow] = []
        self.at = START
        self.usual_s = 0.0

    def listen(self, plays: int) -> None:
        """Send some listens to Kafka, each later than all earlier ones."""
        events = list(self.audience.play(events=plays, start=self.at, end=self.at + timedelta(days=1)))
        self.at += timedelta(days=2)
        self.sent += events
        produce(self.settings, events)

    def train(self) -> None:
        """Train in full, as at night."""
        run_spark_job(self.settings, self.log, "train_recommender", "--run-id", "killed/full", "--trials", "2")
        self.commit(offsets.whole_topic(self.kafka, self.settings.listens_topic))

    def commit(self, window: OffsetWindow) -> None:
        """Commit a window."""
        offsets.commit(self.kafka, self.settings.retraining_group, window)
        self.committed.append(window)

    def run(self, number: int, fate: float = 1.0) -> str:
        """Run once. `fate` decides whether the run is killed, its window is not committed, or neither."""
        window = offsets.backlog(self.kafka, self.settings.listens_topic, self.settings.retraining_group)
        arguments = ["--run-id", f"killed/{number}", "--window", window.to_json()]
        began = time.monotonic()
        with spark_job(self.settings, self.log, "retrain_incrementally", *arguments) as job:
            if fate < KILLED:
                moment = random.uniform(0.3, 1.0) * self.usual_s
                while job.poll() is None and time.monotonic() - began < moment:
                    time.sleep(0.05)
                if job.poll() is None:
                    return f"{window.size} listens: killed after {moment:.1f} of {self.usual_s:.1f} s"
            elif job.wait() != 0:
                raise RuntimeError(self.log.read_text()[-3_000:])
        self.usual_s = time.monotonic() - began
        if KILLED <= fate < KILLED + UNCOMMITTED:
            return f"{window.size} listens: learned, not committed"
        self.commit(window)
        return f"{window.size} listens: done"

    def gaps(self) -> list[str]:
        """List where committed windows leave a gap or overlap."""
        spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for window in self.committed:
            for partition, span in window.spans.items():
                spans[partition].append(span)
        whole = offsets.whole_topic(self.kafka, self.settings.listens_topic)
        found = []
        for partition, (first, end) in whole.spans.items():
            edges = [(first, first), *spans[partition], (end, end)]
            found += [f"partition {partition}: {a}, then {b}" for a, b in pairwise(edges) if a[1] != b[0]]
        return found

    def miscounted(self) -> tuple[int, int]:
        """Return how many counts of the champion are wrong, and how many messages it has not seen.

        The first number counts the tracks whose number of listeners is wrong. It is one higher if the champion's
        number of listens is wrong too. Only the messages that the champion has seen are compared. If the gate kept
        the champion in the last runs, later messages wait for the next update; the second number counts them.
        """
        champion = Registry(self.settings).champion(NAME)
        if champion is None:
            raise RuntimeError("There is no champion.")
        model = Recommender.load(champion.folder())
        seen, unseen = Lineage.of(champion).learned, 0
        listeners, events = defaultdict(set), set()
        for message in self.messages():
            if message.offset < seen.get(message.partition, 0):
                event = Listen.model_validate_json(message.value)
                listeners[event.track_id].add(event.user_name)
                events.add(event.event_id)
            else:
                unseen += 1
        counted = np.rint(np.expm1(model.popularity)).astype(int)
        names = model.catalogue.track_ids
        wrong = sum(int(count) != len(listeners[name]) for name, count in zip(names, counted, strict=True))
        report = json.loads((champion.folder().parent / "report.json").read_text())
        return wrong + int(report["listens"] != len(events)), unseen

    def messages(self) -> list[Any]:
        """Read the topic."""
        return list(whole_topics.messages(self.kafka, self.settings.listens_topic))


def main() -> None:
    """Run, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with own_stack(["mongo", "kafka"]) as settings:
        series = Series(settings, an_audience())
        publish(settings, series.audience)
        series.listen(PAST)
        series.train()
        series.listen(50)
        console.print(f"run 0: {series.run(0)}")
        for number in range(1, arguments.runs + 1):
            series.listen(random.randint(5, 60))
            console.print(f"run {number}: {series.run(number, random.random())}")
        series.listen(50)
        console.print(f"last run: {series.run(arguments.runs + 1)}")
        gaps, (miscounted, unseen) = series.gaps(), series.miscounted()
    learned = sum(each.size for each in series.committed)
    console.print(
        f"{len(series.sent):,} listens sent; {learned:,} in {len(series.committed)} committed windows, "
        f"{len(gaps)} gaps or overlaps {gaps}; {miscounted} tracks miscounted by the champion, "
        f"which the gate has kept from the last {unseen} listens"
    )
    sys.exit(1 if gaps or miscounted else 0)


if __name__ == "__main__":
    main()
