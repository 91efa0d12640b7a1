"""Let the recommender follow the corpus: place its new tracks by their audio. Commits no offsets."""

from __future__ import annotations

import argparse
import time

from segue.connections import leases, mongo, spark
from segue.connections.windows import OffsetWindow
from segue.recommender.model import NAME
from segue.recommender.new_tracks import TrackPlacement
from segue.recommender.retraining import retrain
from segue.runs import summaries
from segue.settings import get_settings


def main() -> None:
    """Read the arguments, place the tracks, print and keep the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the report")
    parser.add_argument(
        "--window",
        required=True,
        type=OffsetWindow.from_json,
        help='announcements of changed days: {"topic": {"partition": [start, end]}}',
    )
    arguments = parser.parse_args()
    started = time.monotonic()
    placement = TrackPlacement(arguments.window)

    with (
        spark.job("place-new-tracks") as session,
        mongo.database() as database,
        leases.held(database, NAME, "place-new-tracks"),
    ):
        placed = retrain(placement, session, database, get_settings())
        summaries.finish(arguments.run_id, placement.report(placed, time.monotonic() - started))


if __name__ == "__main__":
    main()
