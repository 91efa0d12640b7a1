"""Update the recommender by exactly one window of offsets, on top of everything before it. Commits no offsets."""

from __future__ import annotations

import argparse
import time

from segue.connections import leases, mongo, spark
from segue.connections.windows import OffsetWindow
from segue.recommender.incremental import IncrementalUpdate
from segue.recommender.model import NAME
from segue.recommender.retraining import retrain
from segue.runs import reports, summaries
from segue.settings import get_settings


def main() -> None:
    """Read the arguments, update, print and keep the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the report")
    parser.add_argument(
        "--window", required=True, type=OffsetWindow.from_json, help='{"topic": {"partition": [start, end]}}'
    )
    parser.add_argument(
        "--replay", choices=["yes"], help="learn the window once more, even what the champion has learned"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed for the random initial factors of ALS")
    arguments = parser.parse_args()
    started = time.monotonic()
    update = IncrementalUpdate(arguments.window, replay=bool(arguments.replay), seed=arguments.seed)

    with (
        spark.job("retrain-incrementally") as session,
        mongo.database() as database,
        leases.held(database, NAME, "retrain-incrementally"),
    ):
        updated = retrain(update, session, database, get_settings())
        if updated.decision.html:  # the report of a full training that took over
            reports.save(arguments.run_id, updated.decision.html, into=database)
        summaries.finish(arguments.run_id, update.report(updated, time.monotonic() - started))


if __name__ == "__main__":
    main()
