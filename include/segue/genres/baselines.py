"""What a tuned genre model has to beat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from segue.genres.judging import Judged
from segue.genres.labelled import TEST, TRAIN, VALIDATION, Labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

FOREST_TRACKS = 20_000
"""Tracks that scikit-learn's forest learns from at most, as it runs on the driver alone."""


def majority(data: Labelled, judged: Judged) -> Judged:
    """Answer every track with the shares that the genres have among the tracks to learn from.

    Parameters
    ----------
    data : Labelled
    judged : Judged
        Any model's answers to the test tracks.
    """
    counted = data.part(TRAIN, VALIDATION).groupBy("genre").count().collect()
    counts = {row.genre: row["count"] for row in counted}
    shares = np.array([counts.get(genre, 0) for genre in data.genres], dtype=float)
    return replace(judged, probabilities=np.tile(shares / shares.sum(), (len(judged.tracks), 1)))


def guessing(judged: Judged, *, seed: int) -> Judged:
    """Deal a model's own answers out to the tracks by chance: what it would reach if it knew nothing.

    A harder baseline than the majority, whose macro F1 any spread of answers beats.

    Parameters
    ----------
    judged : Judged
    seed : int
    """
    order = np.random.default_rng(seed).permutation(len(judged.tracks))
    return replace(judged, probabilities=judged.probabilities[order])


def forest(data: Labelled, judged: Judged, *, seed: int) -> Judged:
    """Answer with scikit-learn's RandomForestClassifier as it comes, fitted on the same tracks.

    Parameters
    ----------
    data : Labelled
    judged : Judged
        Any model's answers to the test tracks.
    seed : int
    """
    from sklearn.ensemble import RandomForestClassifier

    learned = data.part(TRAIN, VALIDATION)
    size = learned.count()
    if size > FOREST_TRACKS:
        learned = learned.sample(fraction=FOREST_TRACKS / size, seed=seed)
    _, labels, features = collect(learned)
    ids, _, tested = collect(data.part(TEST))
    model = RandomForestClassifier(random_state=seed, n_jobs=-1).fit(features, labels)
    probabilities = np.zeros((len(tested), len(data.genres)))
    probabilities[:, model.classes_.astype(int)] = model.predict_proba(tested)
    order = np.argsort(ids)  # as `Judged` has them
    return replace(judged, probabilities=probabilities[order])


def collect(tracks: DataFrame) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.float32]]:
    """Bring ids, labels and features to the driver."""
    from pyspark.ml.functions import vector_to_array

    rows = tracks.select(
        "track_id", "label", vector_to_array(tracks.features, dtype="float32").alias("f")
    ).toPandas()
    ids = rows["track_id"].to_numpy().astype(str)
    return ids, rows["label"].to_numpy().astype(np.int64), np.array(rows["f"].to_list(), dtype=np.float32)
