"""The trainings of a model over time: the metric of each, its interval, and which ones became the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from segue.runs.charts import Chart, Point, line
from segue.runs.html import Cell, Section, Table
from segue.runs.summaries import Kept

SHOWN = 20
"""Number of the newest trainings that are shown."""


@dataclass(frozen=True)
class Training:
    """What a training has measured.

    Attributes
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    version : str or None
        Such as ``genre/3``. None if the model was not stored as a version.
    at : datetime
    value : float
        The metric of the trained model.
    interval : tuple of (float, float) or None
        Its 95 % interval, if it was stored.
    promoted : bool
        Whether the model became the champion.
    learned : int
        Number of tracks or listens that it was trained on.
    """

    run_id: str
    version: str | None
    at: datetime
    value: float
    interval: tuple[float, float] | None
    promoted: bool
    learned: int = 0

    @classmethod
    def of(
        cls,
        kept: Kept[Any],
        value: float,
        interval: tuple[float, float] | None,
        *,
        learned: int,
        version: str | None = None,
    ) -> Training:
        """Read a report. Without `version`, a model has one only if it became the champion."""
        promoted = kept.report.decision == "promoted"
        version = version or (kept.report.model if promoted else None)
        return cls(kept.run_id, version, kept.written_at, value, interval, promoted, learned)

    @property
    def name(self) -> str:
        """The number of the version, or the day of a training without one."""
        return (self.version or "").rpartition("/")[2] or f"{self.at:%d.%m.}"


def chart(caption: str, trainings: Sequence[Training]) -> Chart:
    """Draw the metric over time. Champions have a ring.

    Parameters
    ----------
    caption : str
    trainings : sequence of Training
        At least one, the oldest first.
    """
    return line(caption, [_point(training.name, training) for training in trainings])


def section(trainings: Sequence[Training], metric: str, learned: str) -> Section | None:
    """Show the versions over time, and the metric by the amount of training data (the learning curve).

    Parameters
    ----------
    trainings : sequence of Training
        The oldest first. The last one is the training that the report is about.
    metric : str
        Such as ``Macro F1``.
    learned : str
        What they learn from, such as ``tracks``.

    Returns
    -------
    Section or None
        None if there is no earlier training.
    """
    if len(trainings) < 2:
        return None
    rows: list[Sequence[Cell]] = [
        [
            training.version or "not stored",
            f"{training.at:%Y-%m-%d %H:%M}",
            training.learned or None,
            training.value,
            "{:.3f} to {:.3f}".format(*training.interval) if training.interval else None,
            "yes" if training.promoted else "no",
        ]
        for training in reversed(trainings)
    ]
    figures = [chart(f"{metric} by version; rings are champions", trainings)]
    sized = sorted((training for training in trainings if training.learned), key=lambda each: each.learned)
    if len({training.learned for training in sized}) > 1:
        points = [_point(f"{training.learned:,}", training) for training in sized]
        figures.append(line(f"{metric} by number of {learned} (learning curve)", points))
    return Section(
        "Versions over time",
        f"This training and those before it, each on the test data of its day. If {metric} still rises with the "
        f"number of {learned}, more of them will help.",
        Table(["Version", "Trained (UTC)", learned.capitalize(), metric, "95 %", "Champion"], rows),
        figures,
    )


def _point(name: str, training: Training) -> Point:
    low, high = training.interval or (None, None)
    return Point(name, training.value, low, high, training.promoted)
