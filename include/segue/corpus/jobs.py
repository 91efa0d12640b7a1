"""The jobs of the DAG `corpus` that follow `inventory`. Each does its work in a lake and stores its report.

Each of them is a Spark application of its own, `spark_jobs/<name>.py`, or a part of the application of
`inventory`: see `segue.corpus.ahead`.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from segue.connections import leases, mongo, spark
from segue.corpus import days, extraction, integrate, publish, sources
from segue.corpus.days import Days
from segue.corpus.lake import Lake
from segue.corpus.plan import Mode
from segue.corpus.reports import ExtractReport, InventoryReport
from segue.runs import summaries
from segue.settings import Settings, get_settings


@dataclass(frozen=True)
class Run:
    """What the jobs of a run have in common.

    Attributes
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    lake : Lake
    settings : Settings
    days : Days
    """

    run_id: str
    lake: Lake
    settings: Settings
    days: Days

    def extract(self, mode: Mode) -> None:
        """Extract the audio features of these days' files, or say what would be extracted."""
        lake, music = self.lake, self.settings.music_dir
        if mode is Mode.PING:
            summaries.finish(self.run_id, extraction.ping(lake, self.days))
        else:
            summaries.finish(self.run_id, extraction.run(lake, music, self.days, mode))

    def integrate(self) -> None:
        """Merge features, metadata and tags of these days into the integrated dataset, and clean it."""
        metadata = sources.find(self.settings).read(datetime.now(UTC).date())
        if extracted := summaries.find(self.run_id, ExtractReport):
            caught_up = extraction.catch_up(self.lake, self.settings.music_dir, self.days, extracted)
            if caught_up:
                summaries.finish(self.run_id, caught_up)
        summaries.finish(self.run_id, integrate.run(self.lake, metadata, self.days))

    def publish(self) -> None:
        """Publish these days to MongoDB, and announce on Kafka which of them have changed."""
        with mongo.database() as database:
            summaries.finish(self.run_id, publish.run(self.lake, database, self.days, self.settings))


@contextmanager
def application(name: str, arguments: Namespace) -> Iterator[Run]:
    """Open the Spark application of one of these jobs.

    Parameters
    ----------
    name : str
        Name of the job.
    arguments : argparse.Namespace
        Result of `days.parser`.

    Yields
    ------
    Run

    Raises
    ------
    SystemExit
        As for `spark.job`.
    """
    settings = get_settings()
    with spark.job(name) as session, leases.of_lake(settings, "corpus", name):
        chosen = days.chosen(arguments, summaries.find(arguments.run_id, InventoryReport))
        yield Run(arguments.run_id, Lake(session, settings.lake_uri), settings, chosen)
