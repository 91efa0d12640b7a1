"""The summary of a run of the DAG `corpus`, made from the reports of its jobs."""

from __future__ import annotations

from segue.audio.results import IDENTIFIERS
from segue.corpus.reports import CorpusReports, CorpusSummary
from segue.errors import CorpusError


def outcome(reports: CorpusReports, seconds: float) -> CorpusSummary:
    """Combine the figures of a run.

    Parameters
    ----------
    reports : CorpusReports
        Reports of the run. If nothing has changed, they are the reports of the earlier run that
        ``publish.unchanged_since`` names.
    seconds : float
        Wall time of the run.

    Returns
    -------
    CorpusSummary

    Raises
    ------
    CorpusError
        If there were files but no track was published.
    """
    found, work, outcomes = reports.inventory.found, reports.extract.work, reports.extract.outcomes
    measured, published = reports.integrate.measured, reports.publish.published
    if outcomes.files and not published.tracks:
        raise CorpusError(
            f"Of {outcomes.files:,} files no track was published; rejected: {outcomes.rejected}. "
            "See the logs of the tasks extract and quality_gate."
        )
    return CorpusSummary(
        partitions=reports.extract.partitions,
        files_in=outcomes.files,
        tracks_out=published.tracks,
        rejects=outcomes.rejects,
        rejected=outcomes.rejected,
        tags_unreadable=measured.changes.get("tags_unreadable", 0),
        invalid_ids={name: rows for name in IDENTIFIERS if (rows := measured.changes.get(f"{name}_invalid", 0))},
        duplicates=measured.flagged["duplicate"],
        outliers=measured.flagged["outlier"],
        genres=measured.genres,
        extracted=work.extracted,
        moved=found.moved,
        retagged=found.retagged,
        hashed=found.hashed,
        tracks_per_s=work.tracks_per_s,
        collection=published.collection,
        tracks_in_collection=published.tracks_in_collection,
        note=_note(reports),
        seconds=seconds,
    )


def _note(reports: CorpusReports) -> str:
    measured = reports.integrate.measured
    found = reports.inventory.found
    warnings = (found.left_out.warning, found.sheets.warning, reports.inventory.metadata_warning)
    if any(warnings):
        return " ".join(filter(None, warnings))
    if not reports.extract.outcomes.files:
        return "No file entered the corpus on these days, so there was nothing to do."
    if measured.null["genre"] == measured.tracks:
        return (
            "No track has a genre. Tag the files or add a metadata.csv: the genre model cannot learn from these."
        )
    if reports.publish.unchanged_since:
        return (
            f"Nothing has changed since {reports.publish.unchanged_since}, so what it published stands. "
            "The figures are those of that run."
        )
    return "none"
