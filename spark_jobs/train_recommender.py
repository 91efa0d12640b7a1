"""Train the recommender on all listens up to now, and recommend to every listener; or train as of a past day."""

from __future__ import annotations

import argparse
import time
from datetime import date

from segue.connections import mongo, spark
from segue.recommender.recipe import TRIALS
from segue.recommender.retraining import retrain
from segue.recommender.training import FullTraining
from segue.runs import reports, summaries
from segue.settings import get_settings


def main() -> None:
    """Read the arguments, train, print and keep the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the summary")
    parser.add_argument("--seed", type=int, default=0, help="seed for the random initial factors of ALS")
    parser.add_argument("--trials", type=int, default=TRIALS, help="how many choices of ALS' parameters to try")
    parser.add_argument(
        "--as-of", type=date.fromisoformat, help="learn only from listens up to this day; promote nothing"
    )
    arguments = parser.parse_args()
    started = time.monotonic()
    training = FullTraining(seed=arguments.seed, trials=arguments.trials, as_of=arguments.as_of)

    with spark.job("train-recommender") as session, mongo.database() as database:
        trained = retrain(training, session, database, get_settings())
        if trained.decision.html:
            reports.save(arguments.run_id, trained.decision.html, into=database)
        seconds = {"seconds": time.monotonic() - started}
        summaries.report(arguments.run_id, "train_recommender", trained.summary() | seconds)


if __name__ == "__main__":
    main()
