"""Genres, or any other label, learned from a table that a user brings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from segue.audio.definition import FAMILIES
from segue.errors import TrainingError
from segue.models.tables import read_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

OTHERS = "others"
"""Family of the columns that are not named after one of FMA's."""

TRACK_ID = "track_id"

SCHEMA = "track_id string, genre string, artist string, split string, features array<double>, flags array<string>"


@dataclass(frozen=True)
class FeatureTable:
    """Rows to learn from.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``track_id``, ``genre``, ``artist``, ``split``: text or None.
    features : ndarray of float64, shape (n_rows, n_features)
    names : sequence of str
        Of the features.
    """

    rows: pd.DataFrame
    features: np.ndarray
    names: list[str]

    @property
    def families(self) -> dict[str, list[int]]:
        """Positions of each family, by the beginning of the names (``mfcc_mean_01`` is of ``mfcc``)."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for position, name in enumerate(self.names):
            family = next((each for each in FAMILIES if name.startswith((f"{each}_", f"{each}."))), OTHERS)
            found[family].append(position)
        return dict(found)

    def to_spark(self, spark: SparkSession) -> DataFrame:
        """Hand the rows to Spark, as `segue.models.genre.labelled.label` takes them."""
        table = self.rows.assign(features=list(self.features), flags=None)
        return spark.createDataFrame(table[[column.split()[0] for column in SCHEMA.split(", ")]], SCHEMA)


def read(path: Path, label: str, group: str | None = None) -> FeatureTable:
    """Read a table of features.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv`` or ``.parquet`` with a row a track. Every column of numbers is a feature, but `label`,
        `group` and ``track_id``.
    label : str
        Column of what is to be learned.
    group : str, optional
        Column of what must not be on both sides of the test, such as the artist.

    Raises
    ------
    CorpusError
        If the file cannot be read.
    TrainingError
        If a column is missing, or there is no feature.
    """
    table = read_table(path)
    for name in (label, *([group] if group else [])):
        if name not in table:
            listed = ", ".join(map(str, table.columns[:10]))
            raise TrainingError(f"{path} has no column {name!r}. It begins with: {listed}.")
    numbers = table.drop(columns=[label, *([group] if group else [])]).drop(columns=TRACK_ID, errors="ignore")
    numbers = numbers.select_dtypes("number")
    if numbers.columns.empty:
        raise TrainingError(f"{path} has no column of numbers besides {label!r}: there is nothing to learn from.")
    ids = table[TRACK_ID] if TRACK_ID in table else pd.Series(range(len(table)))
    rows = pd.DataFrame(
        {
            TRACK_ID: ids.astype(str),
            "genre": _text(table[label]),
            "artist": _text(table[group]) if group else None,
            "split": None,
        }
    )
    return FeatureTable(rows, numbers.to_numpy(dtype=np.float64), list(map(str, numbers.columns)))


def _text(column: pd.Series) -> pd.Series:
    text = column.astype(str).str.strip()
    return text.astype(object).where(column.notna() & (text != ""), None)
