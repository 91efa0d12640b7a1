"""Baselines: simple models that a tuned genre model has to beat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from segue.genres.dataset import TEST, TRAIN, VALIDATION, Dataset
from segue.genres.evaluation import GenreEvaluation

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

FOREST_TRACKS = 20_000
"""Largest number of tracks that scikit-learn's forest is trained on, because it runs on the driver alone."""


def majority(data: Dataset, evaluation: GenreEvaluation) -> GenreEvaluation:
    """Predict the same probabilities for every track: the shares of the genres in the training data.

    Parameters
    ----------
    data : Dataset
    evaluation : GenreEvaluation
        Any model's predictions for the test tracks.
    """
    counted = data.part(TRAIN, VALIDATION).groupBy("genre").count().collect()
    counts = {row.genre: row["count"] for row in counted}
    shares = np.array([counts.get(genre, 0) for genre in data.genres], dtype=float)
    return replace(evaluation, probabilities=np.tile(shares / shares.sum(), (len(evaluation.tracks), 1)))


def guessing(evaluation: GenreEvaluation, *, seed: int) -> GenreEvaluation:
    """Assign a model's predictions to the tracks at random, as if the model did not know the features.

    Even random predictions have a higher macro F1 than `majority`, so this is the harder baseline.

    Parameters
    ----------
    evaluation : GenreEvaluation
        The model's predictions for the test tracks.
    seed : int
    """
    order = np.random.default_rng(seed).permutation(len(evaluation.tracks))
    return replace(evaluation, probabilities=evaluation.probabilities[order])


def forest(data: Dataset, evaluation: GenreEvaluation, *, seed: int) -> GenreEvaluation:
    """Predict with scikit-learn's RandomForestClassifier with default parameters, fitted on the same tracks.

    Parameters
    ----------
    data : Dataset
    evaluation : GenreEvaluation
        Any model's predictions for the test tracks.
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
    order = np.argsort(ids)  # the order of `GenreEvaluation`
    return replace(evaluation, probabilities=probabilities[order])


def collect(tracks: DataFrame) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.float32]]:
    """Collect tracks on the driver.

    Parameters
    ----------
    tracks : DataFrame
        Rows of `Dataset.tracks`.

    Returns
    -------
    track_ids : ndarray of str, shape (n_tracks,)
    labels : ndarray of int64, shape (n_tracks,)
    features : ndarray of float32, shape (n_tracks, n_features)
    """
    from pyspark.ml.functions import vector_to_array

    rows = tracks.select(
        "track_id", "label", vector_to_array(tracks.features, dtype="float32").alias("f")
    ).toPandas()
    ids = rows["track_id"].to_numpy().astype(str)
    return ids, rows["label"].to_numpy().astype(np.int64), np.array(rows["f"].to_list(), dtype=np.float32)
