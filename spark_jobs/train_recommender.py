"""Train the recommender on all listens that Kafka holds now, and recommend to every listener."""

from __future__ import annotations

import argparse
import time

from segue import reports, spark, summaries
from segue.errors import TrainingError
from segue.models.documents import read_tracks
from segue.models.ranking import training
from segue.models.ranking.recipe import TRIALS
from segue.models.registry import Registry
from segue.serving import release
from segue.settings import get_settings
from segue.streaming import broker, events
from segue.streaming.removals import Removals
from segue.streaming.screening import screen
from segue.streaming.window import OffsetWindow


def main() -> None:
    """Read the arguments, run, print and keep the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the summary")
    parser.add_argument("--seed", type=int, default=0, help="of ALS' first factors")
    parser.add_argument("--trials", type=int, default=TRIALS, help="choices of ALS' parameters to try")
    arguments = parser.parse_args()
    started = time.monotonic()
    settings = get_settings()

    with spark.job("train-recommender") as session, summaries.database() as database:
        window = broker.whole_topic({"bootstrap_servers": settings.kafka_bootstrap}, settings.listens_topic)
        if not window.size:
            raise TrainingError(
                f"The Kafka topic {settings.listens_topic!r} holds no listens. Send some, such as those of "
                "simulated listeners (`segue demo` does), and run again."
            )
        print(f"Reading {window.size:,} messages of the topic {window.topic!r} …", flush=True)
        tracks = read_tracks(session, "title", "artist", "features").cache()
        removed = Removals(database).all()
        screened = screen(events.read_until(session, settings.kafka_bootstrap, window), tracks, removed)
        material = training.Material.read(screened.listens, tracks)
        decision = training.train_in_full(
            session,
            material,
            window.ends,
            Registry(settings),
            seed=arguments.seed,
            trials=arguments.trials,
        )
        served = release.publish(database, decision, material, removed)
        learned = window if decision.promoted else OffsetWindow(window.topic, {})
        outcome = decision.summary() | {"listeners_served": served} | screened.summary()
        outcome |= {"learned": learned.to_json(), "seconds": time.monotonic() - started}
        if decision.html:
            reports.save(arguments.run_id, decision.html, into=database)
        summaries.report(arguments.run_id, "train_recommender", outcome)


if __name__ == "__main__":
    main()
