"""Genres, or any other label, learned from a table that a user brings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from segue.audio.definition import FAMILIES
from segue.errors import TrainingError
from segue.tables import read_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

OTHERS = "others"
"""Family of the columns that are not named after one of FMA's."""

TRACK_ID = "track_id"

WITHOUT_NAME = re.compile(r"\s*|Unnamed: \d+(\.\d+)*|__index_level_\d+__")
"""What pandas and Arrow call a column without a name. As a rule it is the row's number: in a sorted table that
gives the label away."""

SHOWN_COLUMNS = 10

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
    left_out : sequence of str
        Columns that are nothing of this, each with the reason.
    """

    rows: pd.DataFrame
    features: np.ndarray
    names: list[str]
    left_out: Sequence[str] = ()

    @property
    def without(self) -> str:
        """Tell in a line which columns are left out; empty if none is."""
        more = len(self.left_out) - SHOWN_COLUMNS
        return ", ".join(self.left_out[:SHOWN_COLUMNS]) + (f" and {more} more" if more > 0 else "")

    @property
    def families(self) -> dict[str, list[int]]:
        """Positions of each family, by the beginning of the names (``mfcc_mean_01`` is of ``mfcc``)."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for position, name in enumerate(self.names):
            family = next((each for each in FAMILIES if name.startswith((f"{each}_", f"{each}."))), OTHERS)
            found[family].append(position)
        return dict(found)

    def to_spark(self, spark: SparkSession) -> DataFrame:
        """Hand the rows to Spark, as `segue.genres.labelled.label` takes them."""
        table = self.rows.assign(features=list(self.features), flags=None)
        return spark.createDataFrame(table[[column.split()[0] for column in SCHEMA.split(", ")]], SCHEMA)


def read(path: Path, label: str, group: str | None = None) -> FeatureTable:
    """Read a table of features.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv`` or ``.parquet`` with a row a track. Every column of numbers is a feature, but `label`,
        `group`, ``track_id`` and columns without a name.
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
    told = [label, *([group] if group else []), TRACK_ID]
    others = table.drop(columns=told, errors="ignore")
    numbers = others.select_dtypes("number")
    numbers = numbers.loc[:, [not WITHOUT_NAME.fullmatch(str(name)) for name in numbers]]
    left_out = [
        f"{name} ({'without a name' if WITHOUT_NAME.fullmatch(str(name)) else 'no numbers'})"
        for name in others
        if name not in numbers
    ]
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
    return FeatureTable(rows, numbers.to_numpy(dtype=np.float64), list(map(str, numbers.columns)), left_out)


def _text(column: pd.Series) -> pd.Series:
    text = column.astype(str).str.strip()
    return text.astype(object).where(column.notna() & (text != ""), None)
