"""Update the recommender by exactly one window of offsets on top of everything before it. Commits nothing."""

from __future__ import annotations

import argparse
import time

from segue.connections import kafka, mongo, offsets, spark
from segue.connections.registry import Registry
from segue.connections.windows import OffsetWindow
from segue.listens import training_data
from segue.listens.removals import Removals
from segue.listens.screening import screen
from segue.recommender import incremental
from segue.recommender.material import Material
from segue.recommender.serving import release
from segue.runs import reports, summaries
from segue.runs.progress import step
from segue.settings import get_settings
from segue.tracks.reading import read_tracks


def main() -> None:
    """Read the arguments, run, print and keep the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the summary")
    parser.add_argument(
        "--window", required=True, type=OffsetWindow.from_json, help='{"topic": {"partition": [start, end]}}'
    )
    parser.add_argument(
        "--replay", choices=["yes"], help="take the window in once more where the champion has seen it"
    )
    parser.add_argument("--seed", type=int, default=0, help="of ALS' first factors")
    arguments = parser.parse_args()
    started = time.monotonic()
    settings = get_settings()
    window: OffsetWindow = arguments.window

    with spark.job("retrain-incrementally") as session, mongo.database() as database:
        print(f"Reading the topic {window.topic!r} up to a window of {window.size:,} messages …", flush=True)
        tracks = read_tracks(session, "title", "artist", "features").cache()
        removed = Removals(database).all()
        registry, again = Registry(settings), window.starts if arguments.replay else {}
        # Beyond the window's end lies what came since; before it, a topic that was made anew.
        config = kafka.config(settings)
        topic = offsets.whole_topic(config, window.topic).ends
        since = incremental.unseen_from(registry, window.starts, topic)
        with step("Reading and screening the listens"):
            screened = screen(training_data.read_until(session, settings, window, since=since), tracks, removed)
        material = Material.read(screened.listens, tracks)
        tracks.unpersist()  # Spark's memory is ALS' from here on
        decision = incremental.train_incrementally(
            session, material, window.ends, registry, again=again, topic=topic, seed=arguments.seed
        )
        served = release.publish(database, decision, material, removed)
        outcome = decision.summary() | {"listeners_served": served} | screened.summary()
        ends = offsets.whole_topic(config, window.topic).ends
        outcome |= {
            "window": window.to_json(),
            "messages_in_window": screened.in_window,
            "lost_by_retention": window.lost,
            "waiting_after_window": sum(end - window.ends.get(partition, 0) for partition, end in ends.items()),
            "replayed": bool(arguments.replay),
            "seconds": time.monotonic() - started,
        }
        first = screened.listens.where("in_window").agg({"arrived_at": "min"}).first()
        if decision.promoted and first and first[0]:
            outcome["first_event_to_promoted_s"] = time.time() - first[0]
        if decision.html:  # of a full training, which took over
            reports.save(arguments.run_id, decision.html, into=database)
        summaries.report(arguments.run_id, "retrain_incrementally", outcome)


if __name__ == "__main__":
    main()
