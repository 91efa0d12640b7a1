"""Read a user's own table of features, to train a model of genres or any other label on it."""

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
from segue.genres.classifiers import OTHERS
from segue.tables import read_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TRACK_ID = "track_id"

WITHOUT_NAME = re.compile(r"\s*|Unnamed: \d+(\.\d+)*|__index_level_\d+__")
"""Names that pandas and Arrow give to a column without a name. It usually holds the row number, which reveals the
label if the table is sorted by label."""

SHOWN_COLUMNS = 10

SCHEMA = "track_id string, genre string, artist string, split string, features array<double>, flags array<string>"


@dataclass(frozen=True)
class FeatureTable:
    """A table of features.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``track_id``, ``genre``, ``artist`` and ``split``: str or None. Shape (n_rows, 4).
    features : ndarray of float64, shape (n_rows, n_features)
    names : sequence of str
        Names of the features.
    left_out : sequence of str
        Columns that are not used, each with the reason in parentheses.
    """

    rows: pd.DataFrame
    features: np.ndarray
    names: list[str]
    left_out: Sequence[str] = ()

    @property
    def left_out_text(self) -> str:
        """The columns that are left out, in one line; empty if there are none."""
        more = len(self.left_out) - SHOWN_COLUMNS
        return ", ".join(self.left_out[:SHOWN_COLUMNS]) + (f" and {more} more" if more > 0 else "")

    @property
    def families(self) -> dict[str, list[int]]:
        """Positions of each feature family; ``mfcc_mean_01`` belongs to ``mfcc``."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for position, name in enumerate(self.names):
            family = next((each for each in FAMILIES if name.startswith((f"{each}_", f"{each}."))), OTHERS)
            found[family].append(position)
        return dict(found)

    def to_spark(self, spark: SparkSession) -> DataFrame:
        """Convert the table to the DataFrame that `segue.genres.dataset.prepare_dataset` takes."""
        table = self.rows.assign(features=list(self.features), flags=None)
        return spark.createDataFrame(table[[column.split()[0] for column in SCHEMA.split(", ")]], SCHEMA)


def read(path: Path, label: str, group: str | None = None) -> FeatureTable:
    """Read a table of features.

    Parameters
    ----------
    path : Path
        A ``.csv``, ``.tsv`` or ``.parquet`` file with one row per track. Every numeric column is a feature, except
        `label`, `group`, ``track_id`` and columns without a name.
    label : str
        Column that the model learns to predict.
    group : str, optional
        Column such as the artist. Rows with the same value in it must be in the same part.

    Returns
    -------
    FeatureTable

    Raises
    ------
    CorpusError
        If the file cannot be read.
    TrainingError
        If a column is missing, or the table has no feature.
    """
    table = read_table(path)
    for name in (label, *([group] if group else [])):
        if name not in table:
            listed = ", ".join(map(str, table.columns[:10]))
            raise TrainingError(f"{path} has no column {name!r}. Its first columns are: {listed}.")
    named = [label, *([group] if group else []), TRACK_ID]
    others = table.drop(columns=named, errors="ignore")
    numbers = others.select_dtypes("number")
    numbers = numbers.loc[:, [not WITHOUT_NAME.fullmatch(str(name)) for name in numbers]]
    left_out = [
        f"{name} ({'without a name' if WITHOUT_NAME.fullmatch(str(name)) else 'not numeric'})"
        for name in others
        if name not in numbers
    ]
    if numbers.columns.empty:
        raise TrainingError(f"{path} has no numeric column besides {label!r}, so there is nothing to learn from.")
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
