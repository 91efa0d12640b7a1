"""The quality gate between cleaning and publishing: the checks that the days of a run must pass.

It reads the cleaning report and needs no Spark. Thresholds that users may want to change are settings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from segue.corpus import drift
from segue.corpus.reports import CleaningReport, Measured
from segue.errors import QualityGateError
from segue.settings import Settings

MIN_FILES = 5
"""Shares are not checked if there are fewer files. They say little then: one bad file of two is already half."""

SHOWN_FOLDERS = 5
"""Number of folders that the message about missing files names."""

MIN_DURATION_S = 1.0

MIN_GONE = 20
"""If fewer files are gone, their share is not checked. In a small collection, they may be one deleted album."""

FILES = "files, of those at the extraction"


@dataclass(frozen=True)
class Check:
    """One check of the days of a run.

    Attributes
    ----------
    name : str
        What is measured.
    value : float
    low, high : float
        Bounds, inclusive.
    setting : str
        Name of the setting that is one of the bounds; empty if none is.
    """

    name: str
    value: float
    low: float
    high: float
    setting: str = ""

    @property
    def passed(self) -> bool:
        """Whether the value is within the bounds; a NaN is not."""
        return self.low <= self.value <= self.high

    @property
    def remedy(self) -> str:
        """The setting, with a value that would let the check pass; empty if no setting could."""
        if not self.setting or math.isnan(self.value):
            return ""
        outwards = math.ceil if self.value > self.high else math.floor
        return f"SEGUE_{self.setting.upper()}={outwards(self.value * 100) / 100:g}"


def judge(
    report: CleaningReport, extracted_files: int, reference: CleaningReport | None, limits: Settings
) -> list[Check]:
    """Check the days of a run.

    Parameters
    ----------
    report : CleaningReport
    extracted_files : int
        Number of files that the inventory had when their features were extracted.
    reference : CleaningReport or None
        Report of the last good run. Without it, drift is not checked.
    limits : Settings
        The settings that begin with ``gate_``, and ``audio_max_duration_s``, are the limits.

    Returns
    -------
    list of Check
        Empty if the days have no files.
    """
    if report.counts.files == report.measured.tracks == extracted_files == 0:
        return []
    checks = [
        *_counts(report, extracted_files),
        *_durations(report.measured, limits),
        *_shares(report, limits),
        *_days(report, limits),
    ]
    return [*checks, *_drift(report.measured, reference.measured, limits)] if reference else checks


def require_presence(known: int, new: int, gone_from: Mapping[str, int], limits: Settings) -> None:
    """Raise an error if so many files are gone that a disk or share is probably disconnected.

    A renamed file counts both as gone and as new. So the check subtracts the new files from the gone ones.

    Parameters
    ----------
    known : int
        Files of the inventory so far.
    new : int
        Files that the inventory does not have yet.
    gone_from : mapping of str to int
        Number of files that are gone, by the top folder.
    limits : Settings
        ``gate_max_gone`` is the limit.

    Raises
    ------
    QualityGateError
        With the folders that have lost most files.
    """
    gone = sum(gone_from.values())
    lost = gone - new
    if lost < MIN_GONE or lost <= limits.gate_max_gone * known:
        return
    worst = sorted(gone_from.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_FOLDERS]
    raise QualityGateError(
        f"Of {known:,} known files {gone:,} are gone and {new:,} are new, so nothing was changed or unpublished. "
        f"Gone from: {', '.join(f'{folder} ({files:,})' for folder, files in worst)}. If a disk or share is away, "
        "bring it back and clear this task. If the files were meant to go, set "
        f"SEGUE_GATE_MAX_GONE={math.ceil(100 * lost / known) / 100:g} for this run."
    )


def table(checks: Sequence[Check]) -> str:
    """Format checks as a text table, the failed ones first."""
    lines = [f"{'':<4}  {'check':<36} {'value':>10}  allowed"]
    for check in sorted(checks, key=lambda check: check.passed):
        allowed = f"{check.low:g}" if check.low == check.high else f"{check.low:g} to {check.high:g}"
        lines.append(f"{'ok' if check.passed else 'FAIL':<4}  {check.name:<36} {check.value:>10.4g}  {allowed}")
    return "\n".join(lines)


def require(checks: Sequence[Check]) -> None:
    """Raise an error unless all checks have passed.

    Parameters
    ----------
    checks : sequence of Check

    Raises
    ------
    QualityGateError
        With the table of the checks that failed.
    """
    failed = [check for check in checks if not check.passed]
    if any(check.name == FILES for check in failed):
        raise QualityGateError(
            f"The inventory is not that of the extraction, so nothing was published:\n{table(failed)}\n"
            "Another run has changed it since, or the lake was away. Clear the task `inventory` with all that "
            "follows it; these days are in the collection `quarantine` until then."
        )
    if failed:
        remedies = sorted({check.remedy for check in failed} - {""})
        meant = f", or, if the music is meant to be so, set {' and '.join(remedies)}" if remedies else ""
        raise QualityGateError(
            f"{len(failed)} of {len(checks)} checks failed, so nothing was published:\n{table(failed)}\n"
            "These days are in the collection `quarantine` until they pass. `segue rejects` and the tab Report of "
            f"this run list the rejected files. Mend the files or the metadata{meant}. Then run these days again."
        )


def sentence(checks: Sequence[Check]) -> str:
    """Return what came of checks that have all passed."""
    if not checks:
        return "There is nothing in these days, so there was nothing to check."
    return f"All {len(checks)} checks passed, so these days may be published. The next task does it."


def _counts(report: CleaningReport, extracted_files: int) -> list[Check]:
    counts, measured = report.counts, report.measured
    return [
        # Without this check, a lake that was lost since the extraction would look like days without files.
        _exactly(FILES, counts.files, extracted_files),
        _exactly("features + rejects, of files", counts.features + counts.rejects, counts.files),
        _exactly("tracks, of features", measured.tracks, counts.features),
        _exactly("different track ids", measured.distinct_tracks, measured.tracks),
        Check("tracks", measured.tracks, 1, float("inf")),
        _exactly("tracks without 518 finite features", measured.bad_vectors, 0),
        _exactly("tracks without a title", measured.null["title"], 0),
    ]


def _durations(measured: Measured, limits: Settings) -> Iterator[Check]:
    extremes = {"shortest track, seconds": measured.shortest_s, "longest track, seconds": measured.longest_s}
    for name, duration_s in extremes.items() if measured.tracks else ():
        value = math.nan if duration_s is None else duration_s
        yield Check(name, value, MIN_DURATION_S, limits.audio_max_duration_s)


def _shares(report: CleaningReport, limits: Settings) -> list[Check]:
    counts, measured = report.counts, report.measured
    if counts.files < MIN_FILES:
        return []
    flagged = {kind: rows / max(measured.tracks, 1) for kind, rows in measured.flagged.items()}
    labelled = 1 - measured.null["genre"] / measured.tracks if measured.tracks else 1.0
    return [
        _at_most("share of files rejected", counts.rejected_share, "gate_max_rejected", limits),
        _at_most("share of duplicates", flagged["duplicate"], "gate_max_duplicates", limits),
        _at_most("share of outliers", flagged["outlier"], "gate_max_outliers", limits),
        Check("share of tracks with a genre", labelled, limits.gate_min_labelled, 1, "gate_min_labelled"),
    ]


def _days(report: CleaningReport, limits: Settings) -> list[Check]:
    """Check each day, because one bad day among thirty would hardly change the average."""
    if len(report.days) < 2:
        return []
    odd = sum(not day.add_up for day in report.days.values())
    shares = {name: day.rejected_share for name, day in report.days.items() if day.files >= MIN_FILES}
    worst = max(shares, key=shares.__getitem__, default=None)
    shown = [name for name, share in shares.items() if share > limits.gate_max_rejected or name == worst]
    return [
        _exactly("days whose counts do not add up", odd, 0),
        *(_at_most(f"rejected on {name}", shares[name], "gate_max_rejected", limits) for name in shown),
    ]


def _drift(now: Measured, then: Measured, limits: Settings) -> Iterator[Check]:
    if genres := drift.compare_genres(now, then):
        vanished, risen = "share of the genres that vanished", "largest rise of a genre's share"
        yield _at_most(vanished, genres.vanished, "gate_max_genre_shift", limits)
        yield _at_most(risen, genres.risen, "gate_max_genre_shift", limits)
    compared = drift.compare(now, then)
    for name, distance in compared.distances.items():
        yield _at_most(f"drift of {name}", distance, "gate_max_drift", limits)
    for name, rise in compared.null_rises.items():
        yield _at_most(f"rise of tracks without {name}", rise, "gate_max_null_rise", limits, low=-1)


def _exactly(name: str, value: float, wanted: float) -> Check:
    return Check(name, value, wanted, wanted)


def _at_most(name: str, value: float, setting: str, limits: Settings, low: float = 0) -> Check:
    return Check(name, value, low, getattr(limits, setting), setting)
