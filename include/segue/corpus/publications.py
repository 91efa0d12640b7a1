"""Record which days were published, and from which state. A run can then skip days without changes.

The collection ``publications`` holds a document for each range of days that was published from the current state
of music, metadata, lake, rules and limits. A run skips its days if the published ranges hold all of them.
Documents of another state are deleted before anything is published. Flags compare each track with the whole
corpus, so any change may affect any day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pymongo.database import Database

import segue.corpus
import segue.tracks
from segue.audio.definition import FEATURE_VERSION
from segue.audio.embedding.definition import version
from segue.audio.limits import embedding_model
from segue.audio.musical.definition import MUSICAL_VERSION
from segue.corpus.listing import digest, list_audio
from segue.corpus.reports import CorpusReports, LakeVersions, Work
from segue.corpus.versions import lake_versions
from segue.runs.progress import Tally, step, to_output
from segue.settings import Settings
from segue.tracks.collection import is_of_doubles, missing

COLLECTION = "publications"

OPEN_FIRST, OPEN_LAST = date.min.isoformat(), date.max.isoformat()
OPEN: Final = {"the first day": OPEN_FIRST, "the last day": OPEN_LAST}
"""Names of open ends of a range, and the days that they stand for."""

LATE: Final = " and late days"
"""End of the name of a nightly run's range."""

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
        Only the settings that begin with ``gate_`` are used, and those of musical descriptors and embedding.

    Returns
    -------
    str
        SHA-256 of these, of the versions of features, musical descriptors and embedding, of the vectors that
        similarity uses, and of the source code in `RULES`.

    Raises
    ------
    ConfigurationError
        If the model of the embedding cannot be read.
    """
    model = embedding_model(limits)
    state = {
        "lake": lake.to_document(),
        "files": files_digest,
        "features": FEATURE_VERSION,
        "musical": MUSICAL_VERSION if limits.audio_musical else None,
        "embedding": version(model) if model else None,
        "vectors": limits.vector_columns,
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
    from segue.corpus import sources  # needs pandas, which the other tasks of the DAG do without

    found = Tally("files")
    with step("List the music", found, say=to_output):
        listing = list_audio(settings.music_dir, found.through)
        files_digest = digest((*listing.files, *listing.sheets))
    with step("Read the metadata", say=to_output):
        metadata_digest = sources.find(settings).read(today).digest
    return made_from(lake_versions(settings.lake_uri), files_digest, metadata_digest, settings)


@dataclass(frozen=True)
class DayRange:
    """The days that a run covers.

    Attributes
    ----------
    first, last : str
        First and last day, ``YYYY-MM-DD``, both inclusive. `OPEN_FIRST` and `OPEN_LAST` are open ends.
    nightly : bool
        Whether the run also covers late days.
    """

    first: str
    last: str
    nightly: bool

    @classmethod
    def named(cls, name: str) -> DayRange:
        """Read the name of a range, as the DAG writes it.

        Examples
        --------
        >>> DayRange.named("the first day to 2026-03-01 and late days")
        DayRange(first='0001-01-01', last='2026-03-01', nightly=True)
        """
        days = name.removesuffix(LATE)
        first, _, last = days.partition(" to ")
        return cls(OPEN.get(first, first), OPEN.get(last, last), days != name)

    def covered_by(self, others: Sequence[DayRange]) -> bool:
        """Return whether the union of other ranges holds all days of this one."""
        reached = self.first
        for other in sorted(others, key=lambda each: each.first):
            if other.first <= reached <= other.last:
                reached = _day_after(other.last)
        return reached > self.last


def _day_after(day: str) -> str:
    return "9999-12-32" if day == OPEN_LAST else (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def find(database: Database[Any], days: str, key: str) -> CorpusReports | None:
    """Find the publication of the same days from the same state. Delete the publications of other states.

    What is published is known by day. So the days may have been published by a run over more days, or by several
    runs. A nightly run also covers late days. There are none after a run over all days, and after a nightly run
    that has processed all days up to its own.

    Parameters
    ----------
    database : pymongo.database.Database
    days : str
        Name of the range, such as ``2026-03-01 to the last day``, as for `DayRange.named`.
    key : str
        Result of `made_from`.

    Returns
    -------
    CorpusReports or None
        The reports for a run that skips these days. They state that the run has extracted nothing, and
        ``publish.unchanged_since`` names the run that has published the days, the newest if they were several.
        None if there is no such publication. None also if the number of documents in the collection of tracks has
        changed since then, if the collection lacks tracks of the announced days, or if it is of an older format.
    """
    published = database[COLLECTION]
    published.delete_many({"made_from": {"$ne": key}})
    newest_first = list(published.find({}).sort("at", -1))
    found = _standing(newest_first, DayRange.named(days))
    if found is None or is_of_doubles(database) or missing(database):
        return None
    there = database["tracks"].estimated_document_count()
    latest = CorpusReports.model_validate(newest_first[0]["reports"])
    if there != latest.publish.published.tracks_in_collection:
        return None
    return CorpusReports.model_validate(found["reports"])


def _standing(newest_first: Sequence[Mapping[str, Any]], wanted: DayRange) -> Mapping[str, Any] | None:
    """Return the newest of the publications that cover the range, or None if they do not cover all of it."""
    if wanted.nightly:
        for each in newest_first:
            night, latest = DayRange.named(each["_id"]), each.get("latest_day")
            if night.nightly and latest is not None and latest <= night.last <= wanted.last:
                return each
        wanted = DayRange(OPEN_FIRST, wanted.last, nightly=False)
    ranges = [DayRange.named(each["_id"]) for each in newest_first]
    if not wanted.covered_by(ranges):
        return None
    together = [
        each
        for each, days in zip(newest_first, ranges, strict=True)
        if days.first <= wanted.last and days.last >= wanted.first
    ]
    alone = [each for each in together if wanted.covered_by([DayRange.named(each["_id"])])]
    return (alone or together)[0]


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
    latest = found.latest_day and found.latest_day.isoformat()
    kept = {
        "made_from": key,
        "at": datetime.now(UTC),
        "latest_day": latest,
        "reports": standing.to_document(),
    }
    published.replace_one({"_id": days}, kept, upsert=True)
