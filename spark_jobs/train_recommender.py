"""Train the recommender on all listens up to now, and recommend to every listener; or train as of a past day."""

from __future__ import annotations

import argparse
import time
import zlib
from datetime import date

from segue.connections import leases, mongo, spark
from segue.recommender.model import NAME
from segue.recommender.recipe import TRIALS
from segue.recommender.report import Surroundings
from segue.recommender.reports import FullTrainingReport, OnlineReport, trainings
from segue.recommender.retraining import retrain
from segue.recommender.training import FullTraining
from segue.runs import reports, summaries
from segue.runs.history import SHOWN
from segue.settings import get_settings


def main() -> None:
    """Read the arguments, train, print and keep the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the report")
    parser.add_argument(
        "--seed",
        type=lambda text: int(text) if text else None,
        help="seed for the ALS parameters that are tried, and for its first factors; empty: made from the run id",
    )
    parser.add_argument("--trials", type=int, default=TRIALS, help="how many choices of ALS' parameters to try")
    parser.add_argument(
        "--as-of", type=date.fromisoformat, help="learn only from listens up to this day; promote nothing"
    )
    arguments = parser.parse_args()
    started = time.monotonic()
    # Each run draws other parameters. A retry has the same run id, so it draws the same.
    seed = zlib.crc32(arguments.run_id.encode()) if arguments.seed is None else arguments.seed

    with (
        spark.job("train-recommender") as session,
        mongo.database() as database,
        leases.held(database, NAME, "train-recommender"),
    ):
        earlier = trainings(summaries.history(FullTrainingReport, SHOWN, source=database))
        compared = summaries.find(arguments.run_id, OnlineReport, source=database)
        around = Surroundings(earlier, compared.said if compared and compared.challenger else None)
        training = FullTraining(seed=seed, trials=arguments.trials, as_of=arguments.as_of, around=around)
        trained = retrain(training, session, database, get_settings())
        if trained.decision.html:
            reports.save(arguments.run_id, trained.decision.html, into=database)
        summaries.finish(arguments.run_id, training.report(trained, time.monotonic() - started))


if __name__ == "__main__":
    main()
