"""Train the recommender on all listens that Kafka holds now, and recommend ten tracks to every listener."""

from __future__ import annotations

import argparse
import time

from segue import spark, summaries
from segue.errors import TrainingError
from segue.models.documents import read_tracks
from segue.models.registry import Registry
from segue.models.retraining import Retraining
from segue.settings import get_settings
from segue.streaming import broker, events
from segue.streaming.screening import screen
from segue.streaming.window import OffsetWindow


def main() -> None:
    """Read the arguments, run, print and keep the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the summary")
    parser.add_argument("--seed", type=int, default=0, help="of ALS' first factors")
    arguments = parser.parse_args()
    started = time.monotonic()
    settings = get_settings()

    with spark.job("train-recommender") as session:
        window = broker.whole_topic({"bootstrap_servers": settings.kafka_bootstrap}, settings.listens_topic)
        if not window.size:
            raise TrainingError(
                f"The Kafka topic {settings.listens_topic!r} holds no listens. Send some, such as those of "
                "simulated listeners (`segue demo` does), and run again."
            )
        print(f"Reading {window.size:,} messages of the topic {window.topic!r} …", flush=True)
        tracks = read_tracks(session, "title", "artist").cache()
        screened = screen(events.read_until(session, settings.kafka_bootstrap, window), tracks)
        training = Retraining(screened.listens, tracks, window.ends, Registry(settings), seed=arguments.seed)
        outcome = training.in_full()
        learned = window if outcome["decision"] == "promoted" else OffsetWindow(window.topic, {})
        outcome |= screened.summary() | {"learned": learned.to_json(), "seconds": time.monotonic() - started}
        summaries.report(arguments.run_id, "train_recommender", outcome)


if __name__ == "__main__":
    main()
