"""The common form of metadata. Every source converts its own to this form: one row per track."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from segue.corpus.listing import file_id
from segue.corpus.paths import to_text

REQUIRED = ("track_id", "file")
DESCRIPTIVE = ("title", "artist", "album", "type", "duration", "genre", "language", "split", "date")
OPTIONAL = (*DESCRIPTIVE, "content_hash", "date_created")
COLUMNS = (*REQUIRED, *OPTIONAL)
SCHEMA = ", ".join(f"{name} string" for name in COLUMNS[:-1]) + ", date_created date"

DAY = r"^\s*(\d{4}-\d{2}-\d{2})(?:[T ].*)?$"
"""A date. A time of day after it is ignored."""


@dataclass(frozen=True)
class Metadata:
    """A metadata table whose track ids and files are unique.

    Attributes
    ----------
    rows : pandas.DataFrame
        Columns `COLUMNS`. `date_created` is a date or None. All others are strings as in the source, and blank if
        the source has no such column.
    counts : mapping of str to int
        For the report: rows of the source, repeated ids and files, and unusable dates.
    tops : mapping of str to str
        Top genre by genre, in lower case; empty without a hierarchy.
    """

    rows: pd.DataFrame
    counts: Mapping[str, int] = field(default_factory=dict)
    tops: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the rows, their order and the hierarchy of genres, as hexadecimal digits."""
        made = hashlib.sha256(pd.util.hash_pandas_object(self.rows, index=False).to_numpy().tobytes())
        made.update(json.dumps(self.tops, sort_keys=True).encode())
        return made.hexdigest()

    def to_spark(self, spark: SparkSession) -> DataFrame:
        """Return the rows as a DataFrame of Spark."""
        return spark.createDataFrame(self.rows, SCHEMA)


def settle(stated: pd.DataFrame, today: date) -> Metadata:
    """Make the rows of a source usable: each has an id, no id or file occurs twice, and dates are plausible.

    Parameters
    ----------
    stated : pandas.DataFrame
        Strings; columns `REQUIRED` and any of `OPTIONAL`. A blank track id is replaced by the file's `file_id`.
    today : date
        Later dates are dropped.

    Returns
    -------
    Metadata
        If several rows have the same track id or the same file, only the first is kept.
    """
    rows = stated.reindex(columns=list(COLUMNS), fill_value="")
    rows["file"] = [to_text(name.strip()) for name in rows["file"]]
    rows["track_id"] = [
        track_id.strip() or file_id(name) for track_id, name in zip(rows["track_id"], rows["file"], strict=True)
    ]
    day = rows["date_created"].str.extract(DAY, expand=False)
    dates = pd.to_datetime(day, format="%Y-%m-%d", errors="coerce")
    usable = dates.notna() & (dates <= pd.Timestamp(today))
    unusable_dates = int((~usable & (rows["date_created"].str.strip() != "")).sum())
    believed = [day.date() if is_usable else None for day, is_usable in zip(dates, usable, strict=True)]
    rows["date_created"] = pd.Series(believed, index=rows.index, dtype=object)
    repeated_ids = rows["track_id"].duplicated()
    repeated_files = rows["file"].duplicated() & ~repeated_ids
    return Metadata(
        rows=rows[~repeated_ids & ~repeated_files],
        counts={
            "rows": len(rows),
            "repeated_track_ids": int(repeated_ids.sum()),
            "repeated_files": int(repeated_files.sum()),
            "unusable_dates": unusable_dates,
        },
    )
