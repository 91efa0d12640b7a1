"""Reports of the jobs of the DAG `corpus`, whose figures a test changes one by one."""

from __future__ import annotations

from typing import Any

from segue.corpus.reports import (
    CleaningReport,
    Comparison,
    CorpusReports,
    DayCounts,
    ExtractReport,
    InventoryReport,
    LakeVersions,
    LeftOut,
    Measured,
    Outcomes,
    Published,
    PublishReport,
    Work,
)

LAKE = LakeVersions(inventory=1, features=2, rejects=2)


def measured(**changes: Any) -> Measured:
    """Figures of eight sound tracks of one genre."""
    figures = {
        "tracks": 8,
        "distinct_tracks": 8,
        "bad_vectors": 0,
        "shortest_s": 3.0,
        "longest_s": 30.0,
        "null": {"title": 0, "artist": 8, "genre": 0, "language": 8},
        "quantiles": {},
        "flagged": {"duplicate": 1, "outlier": 0},
        "flags": {},
        "changes": {},
        "genres": {"Rock": 8},
        "genre_weights": {"Rock": 1.0},
    }
    return Measured(**(figures | changes))


def cleaning(**changes: Any) -> CleaningReport:
    """The report of `integrate` on ten files, of which eight are tracks.

    Changes are fields of `DayCounts` (but `tracks`, which follows that of `Measured`), `Measured` and
    `CleaningReport`.
    """
    counts = {"files": 10, "features": 8, "rejects": 2}
    counts |= {name: changes.pop(name) for name in counts if name in changes}
    figures = measured(**{name: changes.pop(name) for name in Measured.model_fields if name in changes})
    report = {
        "asked_from": None,
        "asked_to": None,
        "first_day": "2026-03-01",
        "last_day": "2026-03-01",
        "late_days": (),
        "partitions": 1,
        "metadata_digest": "metadata",
        "days": {},
        "seconds": 1.0,
    }
    totals = DayCounts(**counts, tracks=figures.tracks)
    return CleaningReport(**(report | {"counts": totals, "measured": figures} | changes))


def run(
    *,
    files: int = 3,
    published: int = 2,
    without_genre: int = 0,
    left_out: LeftOut | None = None,
    changes: dict[str, int] | None = None,
) -> CorpusReports:
    """The reports of a run on some files."""
    rejects = files - published
    found = Comparison(
        files=files,
        size_mb=1.0,
        partitions=1,
        new=files,
        gone=0,
        changed=0,
        with_metadata=files,
        metadata={"rows": files, "rows_without_file": 0},
        files_digest="files",
        metadata_digest="metadata",
        left_out=left_out or LeftOut(),
        latest_day="2026-03-01",
    )
    rejected = {"SILENT": rejects} if rejects else {}
    return CorpusReports(
        inventory=InventoryReport(music="/music", source="tags", found=found, late_days=()),
        extract=ExtractReport(
            mode="skip",
            days="all days",
            partitions=1,
            lake=LAKE,
            outcomes=Outcomes(files=files, features=published, rejects=rejects, rejected=rejected),
            to_retry=0,
            work=Work(extracted=files, extracted_mb=3.0, extracting_s=0.6, seconds=10.0),
        ),
        integrate=cleaning(
            files=files,
            features=published,
            rejects=rejects,
            tracks=published,
            null={"title": 0, "genre": without_genre},
            flagged={"duplicate": 0, "outlier": 0},
            genres={"Reel": published},
            changes=changes or {},
        ),
        publish=PublishReport(
            published=Published(
                collection="segue.tracks",
                tracks=published,
                written=published,
                removed=0,
                tracks_in_collection=9,
                seconds=1.0,
            ),
            days_announced=1,
        ),
    )
