"""The report of a run of the DAG `corpus`: what came, what was rejected and why, and what was checked.

The report is an HTML page. It is made when the run ends, or when the quality gate fails. It is stored with the
reports of the trainings, and shown in the tab *Report* of the run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pymongo.database import Database

from segue.corpus import rejected
from segue.corpus.rejected import RejectedFile
from segue.corpus.reports import (
    CheckedFigure,
    CleaningReport,
    ExtractReport,
    GateReport,
    InventoryReport,
    PingReport,
    PublishReport,
)
from segue.errors import LakeError
from segue.runs import reports, summaries
from segue.runs.charts import Bar, bars
from segue.runs.html import Cell, Section, State, Table, Tone, render

SHOWN_FILES = 1_000
"""Largest number of rejected files that a report lists by path."""

DRIFT = "drift of "
"""How the names of the gate's checks of drift begin."""


@dataclass(frozen=True)
class RunOfCorpus:
    """What the jobs of a run have reported. A job that has not ended, or was not needed, has no report."""

    inventory: InventoryReport | None = None
    extract: ExtractReport | None = None
    integrate: CleaningReport | None = None
    gate: GateReport | None = None
    publish: PublishReport | None = None
    ping: PingReport | None = None

    @classmethod
    def find(cls, database: Database[Any], run_id: str) -> RunOfCorpus:
        """Read the reports of a run.

        Parameters
        ----------
        database : pymongo.database.Database
        run_id : str
            ``<dag_id>/<run_id>``.

        Raises
        ------
        ReportError
            If one of them cannot be read.
        """
        return cls(
            inventory=summaries.find(run_id, InventoryReport, source=database),
            extract=summaries.find(run_id, ExtractReport, source=database),
            integrate=summaries.find(run_id, CleaningReport, source=database),
            gate=summaries.find(run_id, GateReport, source=database),
            publish=summaries.find(run_id, PublishReport, source=database),
            ping=summaries.find(run_id, PingReport, source=database),
        )

    @property
    def verdict(self) -> tuple[str, Tone]:
        """What the run has come to, in a sentence or two, and its colour."""
        if self.ping:
            return (
                f"Only listed: a run would extract {_files(self.ping.would_extract)}. Nothing was changed.",
                "good",
            )
        if self.gate and not self.gate.passed:
            failed = "; ".join(self.gate.failed)
            return (
                f"Nothing was published: the quality gate refused it ({failed}). These days are "
                "in quarantine until they pass. What was published of them before stays.",
                "bad",
            )
        if not self.publish or not self.extract:
            return "The run has not published anything.", "warn"
        outcomes, published = self.extract.outcomes, self.publish.published
        said = f"{published.tracks:,} tracks of {self.extract.days} are published."
        if not outcomes.files:
            said = f"No file entered the corpus on these days ({self.extract.days}), so there was nothing to do."
        if self.publish.unchanged_since:
            said = f"Nothing has changed since {self.publish.unchanged_since}, so what it published stands. {said}"
        if outcomes.rejects:
            return f"{said} Of {_files(outcomes.files)}, {outcomes.rejects:,} were rejected.", "warn"
        return said, "good"


def save(database: Database[Any], run_id: str, lake_uri: str) -> None:
    """Write the report of a run, and store it.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>``.
    lake_uri : str
        Root of the Delta tables, with the rejected files.

    Raises
    ------
    ReportError
        If the report of a job cannot be read.
    """
    run = RunOfCorpus.find(database, run_id)
    try:
        html = page(run, rejected_in(run, lake_uri))
    except LakeError as error:  # everything is published by now, so the run must not fail
        html = page(run, (), f"Rejected files cannot be listed. {error}")
    reports.save(run_id, html, into=database)


def rejected_in(run: RunOfCorpus, lake_uri: str) -> list[RejectedFile]:
    """List the rejected files of the days of a run."""
    if run.integrate is None:
        return []
    asked = run.integrate
    return rejected.find(lake_uri, first=asked.asked_from, last=asked.asked_to, late=asked.late_days)


def page(run: RunOfCorpus, files: Sequence[RejectedFile], unlisted: str = "") -> str:
    """Render the report of a run.

    Parameters
    ----------
    run : RunOfCorpus
    files : sequence of RejectedFile
        The rejected files of its days.
    unlisted : str
        Why these files are not known, if they are not.

    Returns
    -------
    str
        HTML.
    """
    verdict, tone = run.verdict
    sections = [_came(run), *_rejected(files), *_gate(run.gate), _drift(run.gate), _days(run.integrate)]
    facts: dict[str, Cell] = {}
    if unlisted:
        verdict, tone = f"{verdict} {unlisted}", "bad"
    if run.extract:
        facts = {"Days": run.extract.days, "Mode": run.extract.mode}
    if run.inventory:
        facts |= {"Music": run.inventory.music, "Metadata": run.inventory.source}
    return render("Corpus", verdict, [section for section in sections if section], facts, tone=tone)


def listing(files: Sequence[RejectedFile], *, reason: str | None, day: date | None) -> str:
    """Render a page with rejected files of any runs.

    Parameters
    ----------
    files : sequence of RejectedFile
        Result of `segue.corpus.rejected.find`.
    reason, day
        What they were searched by.

    Returns
    -------
    str
        HTML.
    """
    asked = "".join([f" with the reason {reason.upper()}" if reason else "", f" of {day}" if day else ""])
    verdict = f"{_files(len(files))}{asked} {'was' if len(files) == 1 else 'were'} rejected."
    return render("Rejected files", verdict, _rejected(files), {}, tone="warn" if files else "good")


def problem(sentence: str) -> str:
    """Render a page that says why there is no list of rejected files."""
    return render("Rejected files", sentence, [], {}, tone="bad")


def _came(run: RunOfCorpus) -> Section | None:
    if run.inventory is None:
        return None
    found = run.inventory.found
    rows: list[Sequence[Cell]] = [
        ["In the music folder, all days", found.files],
        ["New since the last run", found.new],
        ["Changed", found.changed],
        ["Moved or renamed", found.moved],
        ["New tags, same audio", found.retagged],
        ["Gone", found.gone],
    ]
    if run.extract:
        outcomes, work = run.extract.outcomes, run.extract.work
        rows += [
            ["On the days of this run", outcomes.files],
            ["Extracted now", work.extracted],
            ["Already extracted", run.extract.skipped],
            ["Rejected", outcomes.rejects],
        ]
    if run.publish:
        published = run.publish.published
        rows += [
            ["Tracks published", published.tracks],
            ["Documents written", published.written],
            ["Documents removed", published.removed],
            ["Tracks in MongoDB, all days", published.tracks_in_collection],
        ]
    notes = [run.inventory.metadata_warning, found.left_out.warning]
    if found.left_out.files:
        kinds = ", ".join(f"{files:,} {suffix}" for suffix, files in found.left_out.by_suffix.items())
        notes.append(f"Other files in the folder are no audio by their suffix: {kinds}.")
    text = "Files of the music folder, compared with the inventory of the run before."
    return Section("What came", "\n\n".join(filter(None, [text, *notes])), Table(["Files", "Number"], rows))


def _rejected(files: Sequence[RejectedFile]) -> list[Section]:
    if not files:
        return []
    counts = rejected.by_reason(files)
    reasons: list[Sequence[Cell]] = [[code, number, rejected.remedy(code)] for code, number in counts.items()]
    rows: list[Sequence[Cell]] = [[file.path, f"{file.day}", file.reason, file.message] for file in files]
    text = "By path, all files of these days that are no tracks. They are tried again when they change."
    if len(files) > SHOWN_FILES:
        text = (
            f"The first {SHOWN_FILES:,} of {len(files):,} files. `segue rejects` lists all, "
            "with --reason and --day only some."
        )
    return [
        Section(
            "Rejected, by reason",
            "docs/rejections.md explains the reasons.",
            Table(["Reason", "Files", "What to do"], reasons),
        ),
        Section("Rejected files", text, Table(["File", "Day", "Reason", "What is wrong"], rows[:SHOWN_FILES])),
    ]


def _gate(gate: GateReport | None) -> list[Section]:
    if gate is None or not gate.checks:
        return []
    rows: list[Sequence[Cell]] = [
        [
            check.name,
            State("ok", "good") if check.passed else State("failed", "bad"),
            f"{check.value:.4g}",
            _bounds(check),
            check.remedy if not check.passed else "",
        ]
        for check in sorted(gate.checks, key=lambda check: check.passed)
    ]
    text = (
        "What must hold before anything is published. Correct files or metadata; if the music is meant to be so, "
        "set what the last column says. Then run these days again."
    )
    return [
        Section("Quality gate", text, Table(["Check", "Result", "Measured", "Allowed", "Would pass with"], rows))
    ]


def _bounds(check: CheckedFigure) -> str:
    if check.low == check.high:
        return f"{check.low:g}"
    return f"at least {check.low:g}" if math.isinf(check.high) else f"{check.low:g} to {check.high:g}"


def _drift(gate: GateReport | None) -> Section | None:
    drifts = [check for check in gate.checks if check.name.startswith(DRIFT)] if gate else []
    if not drifts:
        return None
    shown = [
        Bar(check.name.removeprefix(DRIFT), check.value, f"{check.value:.2f}", "" if check.passed else "bad")
        for check in sorted(drifts, key=lambda check: -check.value)
    ]
    text = (
        "How far the distribution of each descriptor is from that of the last good run (Kolmogorov-Smirnov "
        "distance: 0 is the same, 1 shares nothing). The dashed line is the limit."
    )
    return Section("Drift", text, figures=[bars("Distance by descriptor", shown, limit=drifts[0].high)])


def _days(integrate: CleaningReport | None) -> Section | None:
    if integrate is None or len(integrate.days) < 2:
        return None
    rows: list[Sequence[Cell]] = [
        [
            day,
            counts.files,
            counts.rejects,
            counts.tracks,
            State("ok", "good") if counts.add_up else State("counts differ", "bad"),
        ]
        for day, counts in sorted(integrate.days.items(), reverse=True)
    ]
    text = f"The run covers {integrate.partitions:,} days."
    if len(rows) < integrate.partitions:
        text += f" These {len(rows):,} look worst."
    return Section("Days", text, Table(["Day", "Files", "Rejected", "Tracks", "Counts"], rows))


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number:,} files"
