"""How much a genre model depends on each feature family: permutation importance (Breiman, 2001)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from segue.genres.baselines import collect
from segue.genres.dataset import TEST, Dataset

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

MAX_TRACKS = 1_000
"""Largest number of test tracks that are used. With more tracks, the result is more exact but takes longer."""


def by_family(model: PipelineModel, data: Dataset, *, seed: int) -> dict[str, float]:
    """Measure how much macro F1 drops on the test tracks when the values of a family are shuffled among them.

    Parameters
    ----------
    model : PipelineModel
    data : Dataset
    seed : int
        Seed of the shuffling, and of the choice of `MAX_TRACKS` tracks.

    Returns
    -------
    dict of str to float
        Drop of macro F1 by family, the largest first.
    """
    from pyspark.ml.functions import array_to_vector
    from sklearn.metrics import f1_score

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
            "label": np.tile(labels, len(tables)),
            "values": [row for table in tables.values() for row in table.astype(np.float64)],
        }
    )
    frame = data.tracks.sparkSession.createDataFrame(rows, "family string, label long, values array<double>")
    predicted = model.transform(frame.withColumn("features", array_to_vector(frame["values"])))
    answers = predicted.select("family", "label", "prediction").toPandas()
    scores: Mapping[str, float] = {
        str(family): f1_score(part["label"], part["prediction"].astype(int), average="macro")
        for family, part in answers.groupby("family")
    }
    losses = {family: scores[""] - score for family, score in scores.items() if family}
    return dict(sorted(losses.items(), key=lambda item: item[1], reverse=True))
