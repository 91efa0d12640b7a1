"""Record which days were published, and from which state. A run can then skip days without changes.

The collection ``publications`` holds a document for each range of days that was published from the current state
of music, metadata, lake, rules and limits. Documents of another state are deleted before anything is published.
Flags compare each track with the whole corpus, so any change may affect any day.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from pymongo.database import Database

import segue.corpus
import segue.tracks
from segue.audio.definition import FEATURE_VERSION
from segue.corpus import sources
from segue.corpus.extraction import lake_versions
from segue.corpus.listing import digest, list_audio
from segue.corpus.reports import CorpusReports, LakeVersions, Work
from segue.settings import Settings
from segue.tracks.collection import is_of_doubles

COLLECTION = "publications"

RULES: Final = tuple(Path(folder) for package in (segue.corpus, segue.tracks) for folder in package.__path__)
"""Folders whose source code decides what is published: the rules of the corpus, and the form of the documents."""


def made_from(lake: LakeVersions, files_digest: str, metadata_digest: str, limits: Settings) -> str:
    """Return a digest of everything that decides what is published.

    Parameters
    ----------
    lake : LakeVersions
    files_digest : str
        `segue.corpus.listing.digest` of the music.
    metadata_digest : str
        `segue.corpus.metadata.Metadata.digest`.
    limits : Settings
        Only the settings that begin with ``gate_`` are used.

    Returns
    -------
    str
        SHA-256 of these, of the version of the features, and of the source code in `RULES`.
    """
    state = {
        "lake": lake.to_document(),
        "files": files_digest,
        "features": FEATURE_VERSION,
        "metadata": metadata_digest,
        "limits": {name: value for name, value in limits.model_dump().items() if name.startswith("gate_")},
    }
    made = hashlib.sha256(json.dumps(state, sort_keys=True).encode())
    for folder in RULES:
        for source in sorted(folder.rglob("*.py")):
            made.update(source.read_bytes())
    return made.hexdigest()


def published_from(reports: CorpusReports, limits: Settings) -> str | None:
    """Return the digest of the state from which a run has published its days.

    Parameters
    ----------
    reports : CorpusReports
        Reports of the run.
    limits : Settings

    Returns
    -------
    str or None
        Result of `made_from`. None if the publication must not be recorded:

        - The run has published nothing new.
        - Some files have to be tried again by the next run.
        - The metadata changed between the jobs of the run, so ids and texts come from two states.
    """
    found, extract = reports.inventory.found, reports.extract
    if reports.publish.unchanged_since or extract.to_retry:
        return None
    if reports.integrate.metadata_digest != found.metadata_digest:
        return None
    return made_from(extract.lake, found.files_digest, found.metadata_digest, limits)


def present(settings: Settings, today: date) -> str:
    """Return the digest of the current music, metadata and lake. This needs no Spark job.

    Parameters
    ----------
    settings : Settings
    today : date
        As for `segue.corpus.metadata.settle`.

    Returns
    -------
    str
        Result of `made_from`.

    Raises
    ------
    CorpusError
        If music or metadata cannot be read.
    """
    listing = list_audio(settings.music_dir)
    files_digest = digest((*listing.files, *listing.sheets))
    metadata_digest = sources.find(settings).read(today).digest
    return made_from(lake_versions(settings.lake_uri), files_digest, metadata_digest, settings)


def find(database: Database[Any], days: str, key: str) -> CorpusReports | None:
    """Find the publication of the same days from the same state. Delete the publications of other states.

    Parameters
    ----------
    database : pymongo.database.Database
    days : str
        Name of the range.
    key : str
        Result of `made_from`.

    Returns
    -------
    CorpusReports or None
        The reports for a run that skips these days. They state that the run has extracted nothing, and
        ``publish.unchanged_since`` names the run that has published the days. None if there is no such
        publication. None also if the number of documents in the collection of tracks has changed since then, or if
        the collection is of an older format.
    """
    published = database[COLLECTION]
    published.delete_many({"made_from": {"$ne": key}})
    found = published.find_one({"_id": days})
    if found is None or is_of_doubles(database):
        return None
    reports = CorpusReports.model_validate(found["reports"])
    there = database["tracks"].estimated_document_count()
    return reports if there == reports.publish.published.tracks_in_collection else None


def record(database: Database[Any], days: str, key: str, run_id: str, reports: CorpusReports) -> None:
    """Record what a run has published.

    Parameters
    ----------
    database : pymongo.database.Database
    days, key : str
        As for `find`.
    run_id : str
        ``<dag_id>/<run_id>``.
    reports : CorpusReports
        Reports of the run.
    """
    found = reports.inventory.found.model_copy(update={"moved": 0, "retagged": 0, "hashed": 0})
    standing = CorpusReports(
        inventory=reports.inventory.model_copy(update={"found": found}),
        extract=reports.extract.model_copy(update={"work": Work()}),
        integrate=reports.integrate,
        publish=reports.publish.model_copy(update={"unchanged_since": run_id}),
    )
    published = database[COLLECTION]
    published.delete_many({"made_from": {"$ne": key}})
    kept = {"made_from": key, "at": datetime.now(UTC), "reports": standing.to_document()}
    published.replace_one({"_id": days}, kept, upsert=True)
