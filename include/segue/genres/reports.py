"""The report of the job `train_genre`. `segue.runs.summaries` writes and reads these models.

Version 0 is the format of November 2026, when reports had no types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from segue.runs.conclusion import TrainingReport
from segue.runs.history import Training
from segue.runs.summaries import Kept, Part, fields_of


class TrainedModel(Part):
    """How a challenger was made, and how good it is.

    Attributes
    ----------
    challenger : str
        The version that was trained, such as ``genre/3``.
    chosen : dict of str to object
        Classifier, features and parameters.
    trials : int
        Trials of the search that have ended.
    search_s, search_cpu_s : float
        Wall time and CPU time of the search, seconds.
    test : dict of str to float
        Metrics on the test tracks.
    macro_f1_interval : tuple of (float, float) or None
        95 % interval of their macro F1. None in reports of version 1.
    rivals : dict of str to float
        Macro F1 of the models that it was compared with.
    by_vectors : dict of str to float
        Macro F1 with each vector alone and with all together. Empty if there is one vector.
    tracks : dict of str to int
        Tracks by part.
    rejected : dict of str to int
        Tracks that cannot be used, by reason.
    split_by_track : tuple of str
        Genres that were split by track and not by artist.
    """

    challenger: str
    chosen: dict[str, Any]
    trials: int
    search_s: float
    search_cpu_s: float
    test: dict[str, float]
    macro_f1_interval: tuple[float, float] | None = None
    rivals: dict[str, float]
    by_vectors: dict[str, float] = Field(default_factory=dict)
    tracks: dict[str, int]
    rejected: dict[str, int]
    split_by_track: tuple[str, ...]


class Predictions(Part):
    """What came of predicting the genre of tracks that have none.

    Attributes
    ----------
    tracks : int
        Tracks that were predicted.
    model : str or None
        The champion that predicted them.
    reason : str or None
        Why nothing was predicted.
    """

    tracks: int = 0
    model: str | None = None
    reason: str | None = None


class GenreReport(TrainingReport):
    """What the job `train_genre` has done.

    Attributes
    ----------
    trained : TrainedModel or None
        None if no challenger was trained.
    predictions : Predictions
    """

    JOB: ClassVar[str] = "train_genre"

    version: int = 2
    trained: TrainedModel | None = None
    predictions: Predictions

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Convert version 1, which had no intervals, and version 0, whose figures were not grouped into parts.

        ``labels`` was the champion that had predicted, such as ``genre/3``. If nothing was predicted, it was a
        sentence with the reason.
        """
        if document.get("version", 0) == 1:
            return dict(document)
        said = document["labels"]
        return fields_of(cls, document) | {
            "trained": fields_of(TrainedModel, document) if "challenger" in document else None,
            "predictions": {
                "tracks": document["labelled"],
                **({"reason": said} if " " in said else {"model": said}),
            },
        }


def trainings(reports: Sequence[Kept[GenreReport]]) -> list[Training]:
    """Return the trainings among some reports, with macro F1 on their test tracks."""
    return [
        Training.of(
            kept,
            trained.test["macro_f1"],
            trained.macro_f1_interval,
            learned=sum(size for part, size in trained.tracks.items() if part != "test"),
            version=trained.challenger,
        )
        for kept in reports
        if (trained := kept.report.trained)
    ]
