"""The examples of docs/corpus.md that read vectors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pymongo.database import Database
from pyspark.sql import SparkSession

from segue.audio.definition import N_FEATURES, index
from segue.settings import PROJECT_DIR
from segue.tracks.vectors import pack

pytestmark = pytest.mark.integration

VECTORS = np.random.default_rng(0).normal(size=(3, N_FEATURES)).astype(np.float32)


@pytest.fixture
def database(mongo: Database[Any]) -> Iterator[Database[Any]]:
    mongo.drop_collection("tracks")
    mongo.tracks.insert_many(
        {"_id": f"t{i}", "title": f"T{i}", "genre": "Jazz", "features": vector}
        for i, vector in enumerate(pack(VECTORS))
    )
    yield mongo
    mongo.drop_collection("tracks")


def test_they_run_as_they_stand(database: Database[Any], spark: SparkSession) -> None:
    section = (PROJECT_DIR / "docs" / "corpus.md").read_text().split("## The documents")[1].split("\n## ")[0]
    names: dict[str, Any] = {"database": database, "spark": spark}
    for example in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
        exec(example, names)  # noqa: S102 - that is what the test is for
    np.testing.assert_array_equal(names["vectors"], VECTORS)
    assert names["table"].loc["t1", "mfcc_mean_01"] == VECTORS[1, index("mfcc", "mean", 1)]
    [row] = names["arrays"].where("track_id = 't2'").collect()
    np.testing.assert_array_equal(np.array(row.features, np.float32), VECTORS[2])
