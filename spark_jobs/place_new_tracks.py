"""Let the recommender follow the corpus: place its new tracks by their audio. Commits nothing."""

from __future__ import annotations

import argparse
import time
from typing import Any

from segue.connections import kafka, mongo, offsets, spark
from segue.connections.registry import Registry
from segue.connections.windows import OffsetWindow
from segue.listens import training_data
from segue.listens.removals import Removals
from segue.listens.screening import screen
from segue.recommender import incremental
from segue.recommender.material import Material
from segue.recommender.model import NAME
from segue.recommender.new_tracks import take_in_tracks
from segue.recommender.serving import release
from segue.runs import summaries
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
    arguments = parser.parse_args()
    started = time.monotonic()
    settings = get_settings()
    window: OffsetWindow = arguments.window

    with spark.job("place-new-tracks") as session, mongo.database() as database:
        registry = Registry(settings)
        outcome: dict[str, Any] = {
            "decision": "kept",
            "reason": "there is no recommender yet; the first training takes every track",
        }
        if (champion := registry.champion(NAME)) is not None:
            # All listens, not only those that the champion has seen: the new lists leave out what was just played.
            listens = offsets.whole_topic(kafka.config(settings), settings.listens_topic)
            tracks = read_tracks(session, "title", "artist", "features").cache()
            removed = Removals(database).all()
            since = incremental.ends_of(champion, listens.ends)
            messages = training_data.read_until(session, settings, listens, since=since)
            with step("Reading and screening the listens"):
                screened = screen(messages, tracks, removed)
            material = Material.read(screened.listens, tracks)
            tracks.unpersist()  # Spark's memory is ALS' from here on
            decision = take_in_tracks(material, registry, listens.ends)
            outcome = decision.summary() | {
                "listeners_served": release.publish(database, decision, material, removed)
            }
        outcome |= {
            "window": window.to_json(),
            "days_announced": window.size,
            "lost_by_retention": window.lost,
            "seconds": time.monotonic() - started,
        }
        summaries.report(arguments.run_id, "place_new_tracks", outcome)


if __name__ == "__main__":
    main()
