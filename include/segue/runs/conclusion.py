"""The report of a training, and the end of its run: print the report, and store the summary of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pymongo.database import Database

from segue.runs import summaries
from segue.runs.summaries import Report, fields_of

Outcome = Literal["promoted", "kept", "skipped"]


class TrainingReport(Report):
    """What a training has come to.

    Attributes
    ----------
    decision : str
        ``promoted`` if there is a new champion, ``kept`` if the champion stays, ``skipped`` if there was nothing
        to learn from.
    reason : str
    model : str or None
        The champion after the decision, such as ``genre/3``; ``none`` if there is none. None if no model was
        trained, so that none was looked up.
    lost_by_retention : int
        Messages of the run's window that retention had deleted.
    seconds : float
        Wall time of the job, seconds.
    """

    decision: Outcome
    reason: str
    model: str | None = None
    lost_by_retention: int = 0
    seconds: float

    def sentence(self) -> str:
        """Return the decision and its reason."""
        champion = f" The champion is {self.model}." if self.model not in (None, "none") else ""
        return f"{self.decision.capitalize()}: {self.reason.rstrip('.')}.{champion}"

    def shortfall(self) -> str | None:
        """Return a sentence that says what a training could not do, although its run has not failed.

        Returns
        -------
        str or None
            A sentence if the corpus has nothing to learn from, or if retention had deleted events before they were
            used. The run does not fail, because no retry would help. But a reader must see what is missing.
        """
        if self.decision == "skipped":
            return f"Nothing was trained. {self.reason}"
        if self.lost_by_retention:
            return (
                f"Retention had deleted {self.lost_by_retention:,} events before this run could use them. It has "
                "used the others: see above. Increase the retention of the topic, or run the DAG more often."
            )
        return None


class RunSummary(Report):
    """How the run of a training ended. What the training has come to stands in the report of its job.

    Attributes
    ----------
    results : str
        Where the results are.
    seconds : float
        Wall time of the run, seconds.
    """

    JOB: ClassVar[str] = "summary"

    results: str
    seconds: float

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Convert version 0, which repeated the report of the job."""
        return fields_of(cls, document)


class MissedDeadline(Report):
    """A note that a run is late.

    Attributes
    ----------
    missed : str
        Which deadline, in a sentence.
    """

    JOB: ClassVar[str] = "deadline"

    missed: str


def conclude(
    database: Database[Any], run_id: str, kind: type[TrainingReport], summary: RunSummary
) -> TrainingReport:
    """Print the report of a training and the summary of its run, and store the summary.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>``.
    kind : type of TrainingReport
        Class of the training's report.
    summary : RunSummary

    Returns
    -------
    TrainingReport

    Raises
    ------
    ReportError
        If the training left no report in this run, or one that cannot be read.
    """
    report = summaries.require(run_id, kind, source=database)
    print(summaries.render(run_id.partition("/")[0], report), flush=True)
    print(summaries.render(summary.JOB, summary), flush=True)
    summaries.keep(run_id, summary, into=database)
    print(f"{report.sentence()} Results: {summary.results}. The tab Report of this run shows details.", flush=True)
    return report
