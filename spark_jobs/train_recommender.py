"""Train the recommender on all listens up to now, and recommend to every listener; or as of a past day."""

from __future__ import annotations

import argparse
import time
from datetime import date

from segue.connections import kafka, mongo, offsets, spark
from segue.connections.registry import Registry
from segue.connections.windows import OffsetWindow
from segue.errors import TrainingError
from segue.listens import training_data
from segue.listens.removals import Removals
from segue.listens.screening import screen
from segue.recommender import training
from segue.recommender.incremental import forgotten_since_full_training
from segue.recommender.material import Material
from segue.recommender.recipe import TRIALS
from segue.recommender.serving import release
from segue.runs import reports, summaries
from segue.runs.progress import step
from segue.settings import get_settings
from segue.tracks.reading import read_tracks


def main() -> None:
    """Read the arguments, run, print and keep the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the summary")
    parser.add_argument("--seed", type=int, default=0, help="of ALS' first factors")
    parser.add_argument("--trials", type=int, default=TRIALS, help="choices of ALS' parameters to try")
    parser.add_argument(
        "--as-of",
        type=date.fromisoformat,
        help="learn from the listens up to this day; promote nothing",
    )
    arguments = parser.parse_args()
    started = time.monotonic()
    settings = get_settings()

    with spark.job("train-recommender") as session, mongo.database() as database:
        topic = settings.listens_topic
        if arguments.as_of:
            window = OffsetWindow(topic, {})
            print(f"Reading the lake's listens up to {arguments.as_of} …", flush=True)
            messages = training_data.read_days(session, settings, arguments.as_of)
        else:
            window = offsets.whole_topic(kafka.config(settings), topic)
            if not window.spans:
                raise TrainingError(f"There is no Kafka topic {topic!r}: `segue up` makes it.")
            print(f"Reading all listens up to {window.ends} of the topic {topic!r} …", flush=True)
            messages = training_data.read_until(session, settings, window)
        tracks = read_tracks(session, "title", "artist", "features").cache()
        removed, registry = Removals(database).all(), Registry(settings)
        # Until now the champion had a trace of whoever was forgotten since.
        forgotten = forgotten_since_full_training(registry, removed)
        with step("Reading and screening the listens"):
            screened = screen(messages, tracks, removed)
        if not screened.read:
            raise TrainingError(
                f"Neither the Kafka topic {topic!r} nor the lake holds listens. Send some, such as those of "
                "simulated listeners (`segue demo` does), and run again."
            )
        material = Material.read(screened.listens, tracks)
        tracks.unpersist()  # Spark's memory is ALS' from here on
        decision = training.train_in_full(
            session,
            material,
            window.ends,
            registry,
            seed=arguments.seed,
            trials=arguments.trials,
            as_of=arguments.as_of,
        )
        served = release.publish(database, decision, material, removed)
        learned = window if decision.promoted else OffsetWindow(topic, {})
        outcome = decision.summary() | {"listeners_served": served} | screened.summary()
        out = "now out of the model" if decision.promoted else "with a trace in the model still"
        outcome |= {"forgotten_users": {out: forgotten}}
        outcome |= {"learned": learned.to_json(), "seconds": time.monotonic() - started}
        if decision.html:
            reports.save(arguments.run_id, decision.html, into=database)
        summaries.report(arguments.run_id, "train_recommender", outcome)


if __name__ == "__main__":
    main()
