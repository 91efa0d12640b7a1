"""Train the genre model on the published tracks, promote it if it is better, and predict missing genres."""

from __future__ import annotations

import argparse
import time
from functools import partial

from pyspark import StorageLevel

from segue.connections import leases, mongo, spark
from segue.connections.registry import Registry
from segue.corpus.versions import versions
from segue.errors import NothingToLearnError
from segue.genres import predictions, release
from segue.genres.release import MODEL_NAME
from segue.genres.report import Surroundings
from segue.genres.reports import GenreReport, trainings
from segue.genres.search import Budget
from segue.genres.training import SearchOptions
from segue.runs import reports, summaries
from segue.runs.history import SHOWN
from segue.runs.progress import step
from segue.settings import get_settings
from segue.tracks import reading
from segue.tracks.sound_vectors import as_array, fields_of, find_columns

FIELDS = ("artist", "genre", "flags", "language", "year", "split", "partition_date")


def main() -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--run-id", required=True, help="<dag_id>/<run_id>: key of the report, and name of the study"
    )
    parser.add_argument("--trials", type=int, default=20, help="largest number of trials of the search")
    parser.add_argument("--minutes", type=float, default=12, help="longest time of the search, in minutes")
    parser.add_argument(
        "--search",
        choices=("warm", "wide", "refit"),
        default="warm",
        help="warm: try the best choices of earlier trainings first; wide: try every classifier, and ignore "
        "earlier trainings; refit: fit the champion's choice again, without a search",
    )
    parser.add_argument(
        "--parallelism",
        type=int,
        default=0,
        help="number of fits at the same time, at most two; 0: as many as the cores can run",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the search, of trees and of initial weights")
    arguments = parser.parse_args()
    started = time.monotonic()
    settings = get_settings()

    with (
        spark.job("train-genre") as session,
        mongo.database() as database,
        leases.held(database, MODEL_NAME, "train-genre"),
    ):
        # The job reads the tracks three times. Persisted on disk, they take no memory from the training.
        vectors = find_columns(database, settings.vector_columns)
        fields = fields_of(vectors)
        tracks = reading.read_tracks(session, *FIELDS, *fields)
        tracks.persist(StorageLevel.DISK_ONLY)
        registry = Registry(settings)
        with step("Reading the tracks from the document server"):
            data_versions = reading.snapshot(tracks)
        print(f"Read {int(data_versions['mongo_tracks']):,} tracks.", flush=True)
        refit = arguments.search == "refit"
        if refit and (reason := release.reason_not_to_refit(registry, data_versions)):
            report = partial(GenreReport, decision="kept", reason=reason)
        else:
            options = SearchOptions(
                settings.tuning,
                arguments.run_id,
                Budget(1, 0) if refit else Budget(arguments.trials, arguments.minutes),
                wide=arguments.search == "wide",
                seed=arguments.seed,
                parallelism=arguments.parallelism or None,
            )
            data_versions |= {"lake_tracks_version": str(versions(settings.lake_uri, "tracks")["tracks"])}
            earlier = summaries.history(GenreReport, SHOWN, source=database)
            around = Surroundings(reports.links(arguments.run_id), reports.audio_address(), trainings(earlier))
            arrays = tracks.withColumn("features", as_array(vectors))
            try:
                trained, decision = release.release(
                    arrays, registry, options, data_versions=data_versions, around=around, vectors=vectors
                )
            except NothingToLearnError as error:
                report = partial(GenreReport, decision="skipped", reason=str(error))
            else:
                reports.save(arguments.run_id, decision.page, into=database)
                print(trained.evaluation.confusion.table(), flush=True)
                report = partial(
                    GenreReport,
                    decision=decision.outcome,
                    reason=decision.reason,
                    model=decision.model,
                    trained=release.figures(trained, decision),
                )
        predicted = predictions.predict_missing_genres(session, database, registry)
        summaries.finish(arguments.run_id, report(predictions=predicted, seconds=time.monotonic() - started))


if __name__ == "__main__":
    main()
