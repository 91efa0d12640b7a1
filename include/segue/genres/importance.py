"""How much a genre model depends on each feature family: permutation importance (Breiman, 2001)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segue.genres.baselines import collect
from segue.genres.dataset import TEST, Dataset

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

MAX_TRACKS = 1_000
"""Largest number of test tracks that are used. With more tracks, the result is more exact but takes longer."""


SAMPLES = 500
"""Number of bootstrap samples of the tracks, for the intervals."""


class Drop(NamedTuple):
    """A drop of macro F1, and its 95 % interval (bootstrap over the tracks)."""

    mean: float
    low: float
    high: float


def by_family(model: PipelineModel, data: Dataset, *, seed: int) -> dict[str, Drop]:
    """Measure how much macro F1 drops on the test tracks when the values of a family are shuffled among them.

    Parameters
    ----------
    model : PipelineModel
    data : Dataset
    seed : int
        Seed of the shuffling, and of the choice of `MAX_TRACKS` tracks.

    Returns
    -------
    dict of str to Drop
        By family, the largest first.
    """
    from pyspark.ml.functions import array_to_vector

    _, labels, features = collect(data.part(TEST))
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(labels))[:MAX_TRACKS]
    labels, features = labels[chosen], features[chosen]
    tables = {"": features}
    for family, positions in data.families.items():
        tables[family] = features.copy()
        tables[family][:, positions] = features[random.permutation(len(labels))][:, positions]
    rows = pd.DataFrame(
        {
            "family": np.repeat(list(tables), len(labels)),
            "track": np.tile(np.arange(len(labels)), len(tables)),
            "values": [row for table in tables.values() for row in table.astype(np.float64)],
        }
    )
    frame = data.tracks.sparkSession.createDataFrame(rows, "family string, track long, values array<double>")
    predicted = model.transform(frame.withColumn("features", array_to_vector(frame["values"])))
    answers = predicted.select("family", "track", "prediction").toPandas().sort_values("track")
    by_table = {
        str(family): part["prediction"].to_numpy().astype(int) for family, part in answers.groupby("family")
    }
    # The first sample is all tracks, each once. All families are compared on the same samples.
    samples = random.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=SAMPLES)
    weights = np.vstack([np.ones(len(labels)), samples])
    scores = {family: _macro_f1(labels, guesses, weights) for family, guesses in by_table.items()}
    drops = {family: _drop(scores[""] - score) for family, score in scores.items() if family}
    return dict(sorted(drops.items(), key=lambda item: item[1].mean, reverse=True))


def _drop(differences: NDArray[np.float64]) -> Drop:
    low, high = np.quantile(differences[1:], [0.025, 0.975])
    return Drop(float(differences[0]), float(low), float(high))


def _macro_f1(
    labels: NDArray[np.int64], guesses: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the mean F1 of the classes that occur, for each row of weights of the tracks.

    Parameters
    ----------
    labels, guesses : ndarray of int, shape (n_tracks,)
    weights : ndarray of float64, shape (n_samples, n_tracks)

    Returns
    -------
    ndarray of float64, shape (n_samples,)
    """
    classes = np.arange(max(labels.max(), guesses.max()) + 1)
    is_true, is_guessed = (np.equal.outer(each, classes).astype(float) for each in (labels, guesses))
    hits, true, guessed = (weights @ each for each in (is_true * is_guessed, is_true, is_guessed))
    both = true + guessed
    f1 = 2 * hits / np.maximum(both, 1)
    mean: NDArray[np.float64] = f1.sum(axis=1) / np.maximum((both > 0).sum(axis=1), 1)
    return mean
