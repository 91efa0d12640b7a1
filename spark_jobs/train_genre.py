"""Tune and train the genre model on the published tracks, let the better one be the champion, and let it label."""

from __future__ import annotations

import argparse
import time
from typing import Any

from pyspark import StorageLevel

from segue.connections import mongo, spark
from segue.connections.registry import Registry
from segue.corpus.lake import versions
from segue.errors import NothingToLearnError
from segue.genres import predictions, release
from segue.genres.search import Budget
from segue.genres.training import Search
from segue.runs import reports, summaries
from segue.runs.progress import step
from segue.settings import get_settings
from segue.tracks import reading
from segue.tracks.vectors import features_array

FIELDS = ("artist", "genre", "features", "flags", "language", "year", "split", "partition_date")


def main() -> None:
    """Read the arguments, run, print and keep the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> of the summary, and name of the study")
    parser.add_argument("--trials", type=int, default=20, help="most trials of the search")
    parser.add_argument("--minutes", type=float, default=12, help="longest time for it")
    parser.add_argument(
        "--search",
        choices=("warm", "wide", "refit"),
        default="warm",
        help="begin with what was best; begin anew with every classifier; or only fit the champion's choice again",
    )
    parser.add_argument(
        "--parallelism", type=int, default=0, help="fits at a time, two at most; 0: as many as the cores take"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the search, trees and first weights")
    arguments = parser.parse_args()
    started = time.monotonic()
    settings = get_settings()

    with spark.job("train-genre") as session, mongo.database() as database:
        # They are read three times; on disk they take no memory from the training.
        tracks = reading.read_tracks(session, *FIELDS)
        tracks.persist(StorageLevel.DISK_ONLY)
        registry = Registry(settings)
        with step("Reading the tracks from the document server"):
            made_from = reading.snapshot(tracks)
        print(f"Read {int(made_from['mongo_tracks']):,} tracks.", flush=True)
        refit = arguments.search == "refit"
        if refit and (reason := release.nothing_to_refit(registry, made_from)):
            outcome: dict[str, Any] = {"decision": "kept", "reason": reason}
        else:
            how = Search(
                settings.tuning,
                arguments.run_id,
                Budget(1, 0) if refit else Budget(arguments.trials, arguments.minutes),
                wide=arguments.search == "wide",
                seed=arguments.seed,
                parallelism=arguments.parallelism or None,
            )
            made_from |= {"lake_tracks_version": str(versions(settings.lake_uri, "tracks")["tracks"])}
            links = reports.links(arguments.run_id)
            arrays = tracks.withColumn("features", features_array("features"))
            try:
                trained, decision = release.release(arrays, registry, how, made_from=made_from, links=links)
            except NothingToLearnError as error:
                outcome = {"decision": "skipped", "reason": str(error)}
            else:
                reports.save(arguments.run_id, decision.page, into=database)
                print(trained.judged.classification.table(), flush=True)
                outcome = release.summary(trained, decision)
        outcome |= predictions.label(session, database, registry)
        outcome |= {"seconds": time.monotonic() - started}
        summaries.report(arguments.run_id, "train_genre", outcome)


if __name__ == "__main__":
    main()
