"""The wrong predictions that a genre model is surest of. Often the label is wrong, or the track mixes genres."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import numpy as np

from segue.genres.evaluation import GenreEvaluation
from segue.runs.html import Cell, Link, Section, Table

SHOWN = 20


def section(evaluation: GenreEvaluation, audio: str | None = None) -> Section | None:
    """List the wrong predictions with the highest probability.

    Parameters
    ----------
    evaluation : GenreEvaluation
    audio : str, optional
        Address before the id of a track, under which its audio file can be heard.

    Returns
    -------
    Section or None
        None if every prediction is correct.
    """
    sure = evaluation.probabilities.max(axis=1)
    wrong = np.flatnonzero(~evaluation.correct)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:SHOWN]
    if not len(worst):
        return None
    named = [*evaluation.confusion.labels, ""]
    artists = evaluation.tracks.get("artist")
    rows: list[Sequence[Cell]] = [
        [
            _track(str(evaluation.tracks["track_id"].iloc[at]), audio),
            None if artists is None else artists.iloc[at],
            str(evaluation.tracks["genre"].iloc[at]),
            named[evaluation.predicted[at]],
            float(sure[at]),
        ]
        for at in worst
    ]
    return Section(
        "Errors that the model is surest of",
        f"{len(wrong):,} of {len(evaluation.tracks):,} test tracks were predicted wrongly. Listen to these first: "
        "the label may be wrong, or the track may belong to both genres.",
        Table(["Track", "Artist", "True genre", "Predicted genre", "Probability"], rows, digits=2),
    )


def _track(track_id: str, audio: str | None) -> Cell:
    return Link(track_id, f"{audio}{quote(track_id, safe='')}") if audio else track_id
