"""Check the result of the whole chain: counts, models, recommendations, memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from chain import NEW_FILES, Progress, Size
from pymongo.database import Database
from sampling import Use, Used

from segue.connections import offsets, spark
from segue.connections.kafka import config as kafka_config
from segue.connections.registry import Registry
from segue.corpus.lake import Lake
from segue.corpus.reports import PublishReport
from segue.genres.release import MODEL_NAME as GENRE
from segue.genres.reports import GenreReport
from segue.listens.lake_table import ListensTable
from segue.recommender.model import NAME as RECOMMENDER
from segue.recommender.reports import FullTrainingReport
from segue.runs import summaries
from segue.runs.conclusion import TrainingReport
from segue.settings import Settings
from segue.stack import spark_conf

GB = 1e9
ONE_PROCESS = 4 * GB
TOGETHER = 10 * GB
SERVICES = {"listens-api": 0.6 * GB, "live": 0.6 * GB, "mongo": 1.5 * GB}
"""Limits of memory (PSS, bytes): for any one process, for the whole stack, and for single services."""


def faults(
    settings: Settings, size: Size, progress: Progress, used: Used, database: Database[dict[str, Any]]
) -> list[str]:
    """Check the results of the steps that were done.

    Returns
    -------
    list of str
        A sentence for each check that failed.
    """
    found = [*progress.failures.values(), *_memory(used)]
    if "corpus" in progress.done:
        lake = _counts(settings, with_listens="lake" in progress.done)
        found += _corpus(size, progress, lake, database)
        found += _listens(settings, progress, lake, database)
        found += _models(settings, progress, database)
        if progress.done.keys() & {"recommender", "live"}:
            found += _recommendations(progress, database)
    return found


def _memory(used: Used) -> Iterator[str]:
    limits: list[tuple[str, Use, float, float]] = [
        *(
            (f"The service {name}", use, use.pss, SERVICES[name])
            for name, use in used.services.items()
            if name in SERVICES
        ),
        *(
            (f"One process of {name}", use, use.one_process_pss, ONE_PROCESS)
            for name, use in {**used.tasks, **used.services}.items()
        ),
        ("The whole stack", used.together, used.together.pss, TOGETHER),
    ]
    for what, _, bytes_, limit in limits:
        if bytes_ > limit:
            yield f"{what} took {bytes_ / GB:.2f} GB of memory; the limit is {limit / GB:.1f} GB."


def _counts(settings: Settings, *, with_listens: bool) -> dict[str, Any]:
    """Count the rows of the lake's tables."""
    os.environ.update(spark_conf.environment(settings))
    with spark.job("benchmark-counts") as session:
        lake = Lake(session, settings.lake_uri)
        counts: dict[str, Any] = {name: lake.read(name).count() for name in ("inventory", "features", "tracks")}
        counts["rejects"] = {
            row["reason"]: row["count"] for row in lake.read("rejects").groupBy("reason").count().collect()
        }
        if with_listens:
            counts["listens"] = ListensTable(session, settings.lake_uri).read().count()
    return counts


def _corpus(
    size: Size, progress: Progress, lake: dict[str, Any], database: Database[dict[str, Any]]
) -> Iterator[str]:
    files = size.tracks + NEW_FILES * ("night" in progress.done)
    rejected = sum(lake["rejects"].values())
    if lake["inventory"] != files:
        yield f"The inventory has {lake['inventory']:,} files; there are {files:,}."
    if lake["inventory"] != lake["features"] + rejected:
        yield f"Of {lake['inventory']:,} files {lake['features']:,} have features and {rejected:,} are rejected."
    if "night" not in progress.done and lake["rejects"] != progress.rejected:
        yield f"The files were damaged so that {progress.rejected} were to be rejected; {lake['rejects']} were."
    published = database["tracks"].count_documents({})
    if not lake["features"] == lake["tracks"] == published:
        counted = f"the lake has {lake['tracks']:,} tracks, MongoDB {published:,}"
        yield f"{lake['features']:,} files have features; {counted}."
    if "again" in progress.done:
        runs = [run for run in progress.runs if run["step"] == "again"]
        report = summaries.require(f"corpus/{runs[-1]['run_id']}", PublishReport, source=database)
        if report.unchanged_since is None:
            yield "The second run of the corpus has published again, though nothing had changed."


def _listens(
    settings: Settings, progress: Progress, lake: dict[str, Any], database: Database[dict[str, Any]]
) -> Iterator[str]:
    if "listens" not in progress.done:
        return
    kafka = offsets.whole_topic(kafka_config(settings), settings.listens_topic).size
    stored = database["listens"].count_documents({})
    if not progress.sent == kafka == stored:
        yield f"{progress.sent:,} listens were sent; Kafka has {kafka:,}, MongoDB {stored:,}."
    if "night" in progress.done and lake["listens"] != progress.sent:
        yield f"{progress.sent:,} listens were sent; the lake has {lake['listens']:,}."


def _models(settings: Settings, progress: Progress, database: Database[dict[str, Any]]) -> Iterator[str]:
    registry = Registry(settings)
    trainings: dict[str, tuple[str, type[TrainingReport]]] = {
        "genre_model": (GENRE, GenreReport),
        "recommender": (RECOMMENDER, FullTrainingReport),
    }
    for step, (name, kind) in trainings.items():
        runs = [run for run in progress.runs if run["step"] == step]
        if step in progress.done:
            report = summaries.require(f"{step}/{runs[-1]['run_id']}", kind, source=database)
            if report.decision != "promoted" or registry.champion(name) is None:
                yield f"The first model of {step} was not promoted: {report.reason}."


def _recommendations(progress: Progress, database: Database[dict[str, Any]]) -> Iterator[str]:
    having = {each["_id"] for each in database["recommendations"].find({}, {"_id": 1})}
    without = sorted(set(progress.listeners) - having)
    if without:
        yield f"{len(without):,} of {len(progress.listeners):,} listeners have no list, such as {without[0]}."
