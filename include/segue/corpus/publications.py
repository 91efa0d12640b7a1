"""Which days stand published and what from, so that a run that finds nothing changed does not do them again.

The collection ``publications`` holds a document for each range of days published from the present state of lake,
metadata, rules and limits. Those of another state are withdrawn before anything is published: flags are found
among all tracks, so any change can reach any day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pymongo.database import Database

from segue.audio.definition import FEATURE_VERSION
from segue.corpus import sources
from segue.corpus.extraction import MADE_FROM
from segue.corpus.lake import versions
from segue.corpus.listing import digest, list_audio
from segue.runs.summaries import Summary
from segue.settings import Settings
from segue.tracks.collection import VALIDATOR, is_of_doubles

COLLECTION = "publications"

JOBS = ("inventory", "extract", "integrate", "publish")
"""Whose summaries a publication keeps."""


NOTHING_EXTRACTED = {
    "extracted": 0,
    "same_bytes": 0,
    "tracks_per_s": 0.0,
    "megabytes_per_s": 0.0,
    "seconds_extracting": 0.0,
    "seconds": 0.0,
}
"""What becomes of the summary of `extract` in a run that finds the days as they were."""


def made_from(lake: Mapping[str, int], files: str, metadata: str, limits: Settings) -> str:
    """Tell states apart that may be published differently.

    Parameters
    ----------
    lake : mapping of str to int
        Version of each Delta table that the integrated dataset is made from.
    files : str
        `segue.corpus.listing.digest` of the music.
    metadata : str
        `segue.corpus.metadata.Metadata.digest`.
    limits : Settings
        Those that begin with ``gate_`` count.

    Returns
    -------
    str
        A digest of these, of the version of the features, the documents' form and this package's source code.
    """
    state = {
        "lake": dict(lake),
        "files": files,
        "features": FEATURE_VERSION,
        "documents": VALIDATOR,
        "metadata": metadata,
        "limits": {name: value for name, value in limits.model_dump().items() if name.startswith("gate_")},
    }
    made = hashlib.sha256(json.dumps(state, sort_keys=True).encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        made.update(source.read_bytes())
    return made.hexdigest()


def published_from(jobs: Mapping[str, Summary], limits: Settings) -> str | None:
    """Tell the state that a run has published its days from.

    Parameters
    ----------
    jobs : mapping of str to dict
        The summaries of the run.
    limits : Settings

    Returns
    -------
    str or None
        What `made_from` makes of it. None if nothing may stand for it: the run has published nothing new, some
        files are to be tried again, or the metadata changed between its jobs, so that ids and texts are of two
        states.
    """
    if "publish" not in jobs or "unchanged_since" in jobs["publish"] or jobs["extract"]["to_retry"]:
        return None
    files, metadata = jobs["inventory"]["files_digest"], jobs["inventory"]["metadata_digest"]
    if jobs["integrate"]["metadata_digest"] != metadata:
        return None
    return made_from(jobs["extract"]["lake"], files, metadata, limits)


def present(settings: Settings, today: date) -> str:
    """Look at music, metadata and lake as they are; no Spark job is needed for it.

    Parameters
    ----------
    settings : Settings
    today : date
        As for `segue.corpus.metadata.settle`.

    Returns
    -------
    str
        What `made_from` makes of them.

    Raises
    ------
    CorpusError
        If music or metadata cannot be read.
    """
    files = digest(list_audio(settings.music_dir))
    metadata = sources.find(settings).read(today).digest
    return made_from(versions(settings.lake_uri, *MADE_FROM), files, metadata, settings)


def find(database: Database[Any], days: str, key: str) -> dict[str, Any] | None:
    """Find the publication of the same days from the same state, and withdraw those of other states.

    Parameters
    ----------
    database : pymongo.database.Database
    days : str
        Name of the range.
    key : str
        What `made_from` returned.

    Returns
    -------
    dict or None
        `run_id`, and the summaries of `JOBS` by name. None also if the collection of tracks has not as many
        documents as it then had, or is of the form before.
    """
    published = database[COLLECTION]
    published.delete_many({"made_from": {"$ne": key}})
    found = published.find_one({"_id": days})
    if found is None or is_of_doubles(database):
        return None
    there = database["tracks"].estimated_document_count()
    return found if there == found["publish"]["tracks_in_collection"] else None


def record(database: Database[Any], days: str, key: str, run_id: str, jobs: Mapping[str, Summary]) -> None:
    """Keep what a run has published.

    Parameters
    ----------
    database : pymongo.database.Database
    days, key : str
        As for `find`.
    run_id : str
        ``<dag_id>/<run_id>``.
    jobs : mapping of str to dict
        The summaries of the run.
    """
    published = database[COLLECTION]
    published.delete_many({"made_from": {"$ne": key}})
    kept: dict[str, Any] = {"made_from": key, "run_id": run_id, "at": datetime.now(UTC)}
    kept |= {job: jobs[job] for job in JOBS}
    kept["extract"] = jobs["extract"] | NOTHING_EXTRACTED | {"skipped": jobs["extract"]["inventory"]}
    published.replace_one({"_id": days}, kept, upsert=True)
