"""Let the recommender follow the corpus: place its new tracks by their audio. Commits no offsets."""

from __future__ import annotations

import argparse
import time

from segue.connections import mongo, spark
from segue.connections.windows import OffsetWindow
from segue.recommender.new_tracks import TrackPlacement
from segue.recommender.retraining import retrain
from segue.runs import summaries
from segue.settings import get_settings


def main() -> None:
    """Read the arguments, place the tracks, print and keep the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the summary")
    parser.add_argument(
        "--window",
        required=True,
        type=OffsetWindow.from_json,
        help='announcements of changed days: {"topic": {"partition": [start, end]}}',
    )
    arguments = parser.parse_args()
    started = time.monotonic()
    announced: OffsetWindow = arguments.window

    with spark.job("place-new-tracks") as session, mongo.database() as database:
        placed = retrain(TrackPlacement(), session, database, get_settings())
        figures = {
            "window": announced.to_json(),
            "days_announced": announced.size,
            "lost_by_retention": announced.lost,
            "seconds": time.monotonic() - started,
        }
        summaries.report(arguments.run_id, "place_new_tracks", placed.summary() | figures)


if __name__ == "__main__":
    main()
