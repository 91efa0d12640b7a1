from __future__ import annotations

import numpy as np
import pytest

from segue.genres import dataset

SCHEMA = "track_id string, artist string, genre string, features array<double>, flags array<string>, split string"
FAMILIES = {"mfcc": [0, 1, 2], "tonnetz": [3, 4, 5]}


@pytest.fixture(scope="session")
def corpus(spark):
    """Return a function that makes tracks of two genres, told apart by the family mfcc alone."""

    def make(shift: float = 3.0, *, language: str = "en"):
        random = np.random.default_rng(0)
        rows = []
        for name, moved in (("jig", 0.0), ("reel", shift)):
            for i in range(60):
                features = random.normal(size=6) + np.array([moved] * 3 + [0.0] * 3)
                features[5] = 7.0  # a feature that never varies does no harm
                rows.append((f"{name}-{i}", f"band {i % 15} {name}", name, features.tolist(), [], None))
        frame = spark.createDataFrame(rows, SCHEMA)
        year, day = "2000 + hash(track_id) % 9 AS year", "'2026-03-01' AS partition_date"
        return frame.selectExpr("*", f"'{language}' AS language", year, day).cache()

    return make


@pytest.fixture(scope="session")
def data(corpus) -> dataset.Dataset:
    return dataset.prepare_dataset(corpus(), FAMILIES)
