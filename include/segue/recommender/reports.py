"""What the retrainings of the recommender report; `segue.runs.summaries` writes and reads these models.

Version 0 is that of November 2026, when reports had no types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from segue.listens.reports import ScreenedListens
from segue.runs.conclusion import TrainingReport
from segue.runs.history import Training
from segue.runs.summaries import Kept, Part, Report, fields_of

SEGUE = "Segue"
"""Name of Segue's own model in comparisons."""


class ComparisonFigures(Part):
    """What a full training has measured.

    Attributes
    ----------
    ndcg_at_10 : dict of str to float
        By model: Segue's and the baselines', on tracks that are new to the listener.
    interval : tuple of (float, float) or None
        95 % interval of Segue's. None in reports of version 1.
    listens : int
        Listens that the candidate was fitted to.
    forgotten_users : dict of str to int or None
        Users who were forgotten since the last full training, by whether the champion has a trace of them.
    """

    ndcg_at_10: dict[str, float]
    interval: tuple[float, float] | None = None
    listens: int
    forgotten_users: dict[str, int] | None = None

    @classmethod
    def of_version_0(cls, document: Mapping[str, Any]) -> ComparisonFigures | None:
        """Read the figures that stood among those of the report; None if nothing was compared."""
        if "ndcg@10" not in document:
            return None
        return cls(ndcg_at_10=document["ndcg@10"], **fields_of(cls, document))


class UpdateFigures(Part):
    """What an update has measured, on listens that the champion has not learned.

    Attributes
    ----------
    challenger : dict of str to float
        Metrics of the candidate, such as ``ndcg@10``.
    champion_ndcg_at_10 : float
    full_training_ndcg_at_10 : float or None
        That of the full training which the champion descends from; None if it cannot be loaded.
    updates_since_full_training : int
        How many updates lie between the candidate and that full training.
    listens : int
        Listens that the candidate has learned.
    difference : tuple of (float, float, float) or None
        Relative difference in NDCG@10 from the reference, pooled over windows, and its bounds. None in reports of
        earlier versions, and if too little is known for bounds.
    provisional : bool
        Whether the candidate was promoted only until the next windows say more.
    """

    challenger: dict[str, float]
    champion_ndcg_at_10: float
    full_training_ndcg_at_10: float | None = None
    updates_since_full_training: int
    listens: int
    difference: tuple[float, float, float] | None = None
    provisional: bool = False

    @classmethod
    def of_version_0(cls, document: Mapping[str, Any]) -> UpdateFigures | None:
        """Read the figures that stood among those of the report; None if nothing was compared."""
        if "challenger" not in document:
            return None
        return cls(
            champion_ndcg_at_10=document["champion"],
            full_training_ndcg_at_10=document.get("ndcg@10_of_full_training"),
            **fields_of(cls, document),
        )


class PlacementFigures(Part):
    """How many tracks are in the catalogue and not in the champion's, and the reverse."""

    tracks_new: int
    tracks_gone: int


Figures = ComparisonFigures | UpdateFigures | PlacementFigures


class RetrainingReport(TrainingReport):
    """What every retraining of the recommender reports.

    Attributes
    ----------
    listeners_served : int
        Listeners who got new recommendations.
    screened : ScreenedListens or None
        None if no listens were read.
    """

    listeners_served: int = 0
    screened: ScreenedListens | None = None

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Read version 0, which kept all figures on one level."""
        screened = fields_of(ScreenedListens, document)
        return fields_of(cls, document) | {"screened": screened or None}


class FullTrainingReport(RetrainingReport):
    """What the job `train_recommender` has done.

    Attributes
    ----------
    compared : ComparisonFigures
    learned : str
        Window of the listens that the champion now knows, as JSON; it is empty if the champion was kept.
    """

    JOB: ClassVar[str] = "train_recommender"

    version: int = 2
    compared: ComparisonFigures
    learned: str

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Read version 1, which had no interval, and version 0, which kept all figures on one level."""
        if document.get("version", 0) == 1:
            return dict(document)
        return super().migrate(document) | {"compared": ComparisonFigures.of_version_0(document)}


class IncrementalUpdateReport(RetrainingReport):
    """What the job `retrain_incrementally` has done.

    Attributes
    ----------
    window : str
        The messages that it worked on, as JSON.
    messages_in_window : int
    waiting_after_window : int
        Messages that had come after the window when the job began.
    replayed : bool
        Whether the window was learned once more.
    updated : UpdateFigures or None
        None if candidate and champion were not compared.
    compared : ComparisonFigures or None
        Those of a full training that took over; None if there was none.
    first_event_to_promoted_s : float or None
        Time from the arrival of the window's first event until the candidate served, seconds; None if it does not
        serve.
    """

    JOB: ClassVar[str] = "retrain_incrementally"

    version: int = 2
    window: str
    messages_in_window: int
    waiting_after_window: int
    replayed: bool = False
    updated: UpdateFigures | None = None
    compared: ComparisonFigures | None = None
    first_event_to_promoted_s: float | None = None

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Read version 1, which had no interval, and version 0, which kept all figures on one level."""
        if document.get("version", 0) == 1:
            return dict(document)
        return super().migrate(document) | {
            "updated": UpdateFigures.of_version_0(document),
            "compared": ComparisonFigures.of_version_0(document),
        }


class TrackPlacementReport(RetrainingReport):
    """What the job `place_new_tracks` has done.

    Attributes
    ----------
    window : str
        The announcements that it worked on, as JSON.
    days_announced : int
        How many they are: one for each day that the corpus has changed.
    placed : PlacementFigures or None
        None if there was no champion to place tracks in.
    """

    JOB: ClassVar[str] = "place_new_tracks"

    window: str
    days_announced: int
    placed: PlacementFigures | None = None

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Read version 0, which kept all figures on one level."""
        return super().migrate(document) | {"placed": fields_of(PlacementFigures, document) or None}


class OnlineReport(Report):
    """What the comparison of a challenger with the champion has come to.

    Attributes
    ----------
    challenger : str or None
        The version that was compared; None if there was none.
    listeners : int
        Listeners who were served interleaved lists.
    plays : tuple of (int, int)
        Tracks played of the champion's and of the challenger's picks.
    advantage : tuple of (float, float, float) or None
        The challenger's advantage in plays, and its bounds. None if too little is known.
    said : str
        What this shows, and what was done, in a sentence.
    """

    JOB: ClassVar[str] = "online_evaluation"

    challenger: str | None = None
    listeners: int = 0
    plays: tuple[int, int] = (0, 0)
    advantage: tuple[float, float, float] | None = None
    said: str

    def sentence(self) -> str:
        """Return what was found."""
        return self.said


def trainings(reports: Sequence[Kept[FullTrainingReport]]) -> list[Training]:
    """Return the full trainings among some reports, with NDCG@10 on tracks that are new to the listener."""
    return [
        Training.of(kept, compared.ndcg_at_10[SEGUE], compared.interval, learned=compared.listens)
        for kept in reports
        if (compared := kept.report.compared) and SEGUE in compared.ndcg_at_10
    ]
