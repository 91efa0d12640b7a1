"""The common form of metadata: one row per track. Every source converts its metadata to this form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from segue.corpus.listing import file_id
from segue.corpus.locating import locate
from segue.corpus.paths import to_text
from segue.errors import CorpusError

REQUIRED = ("track_id", "file")
DESCRIPTIVE = ("title", "artist", "album", "type", "duration", "genre", "language", "split", "date")
OPTIONAL = (*DESCRIPTIVE, "content_hash", "date_created")
COLUMNS = (*REQUIRED, *OPTIONAL)
SCHEMA = ", ".join(f"{name} string" for name in COLUMNS[:-1]) + ", date_created date"

DAY = r"^\s*(\d{4}-\d{2}-\d{2})(?:[T ].*)?$"
"""A date. A time of day after it is ignored."""

SHOWN_NAMES = 3
"""Number of names of the table and of the corpus that an error shows."""


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

    def located(self, paths: Iterable[str]) -> Metadata:
        """Replace the names of files by the paths of these files, see `segue.corpus.locating`.

        Parameters
        ----------
        paths : iterable of str
            All files of the corpus.

        Returns
        -------
        Metadata
            If several rows name the same file, the one with its exact path is kept, or else the first. A row
            without a track id gets that of the path.

        Raises
        ------
        CorpusError
            If there are rows and files, no row names a file, and none has a content hash. The message shows some
            names of both sides.
        """
        known = sorted(paths)
        names = self.rows["file"].tolist()
        found = pd.Series(locate(names, known), index=self.rows.index, dtype=object)
        is_lost = bool(known) and bool(names) and found.isna().all()
        if is_lost and not self.rows["content_hash"].str.strip().any():
            raise CorpusError(
                f"None of the {len(names):,} rows of the metadata table names a file of the music folder. The "
                f"table has {_some(names)}; the folder has {_some(known)}. Write the column file relative to the "
                "music folder, or correct SEGUE_METADATA or SEGUE_MUSIC."
            )
        file = found.where(found.notna(), self.rows["file"])
        is_made = self.rows["track_id"] == self.rows["file"].map(file_id)
        rows = self.rows.assign(file=file, track_id=self.rows["track_id"].mask(is_made, file.map(file_id)))
        first_exact = (self.rows["file"] != file).sort_values(kind="stable").index
        repeated = file[first_exact].duplicated().reindex(self.rows.index)
        counts = dict(self.counts)
        counts["repeated_files"] = counts.get("repeated_files", 0) + int(repeated.sum())
        return replace(self, rows=rows[~repeated], counts=counts)

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


def misfit(found: Mapping[str, int], files: int, with_metadata: int, smallest_share: float) -> str:
    """Warn about a table that fits the corpus badly.

    Parameters
    ----------
    found : mapping of str to int
        `Metadata.counts`.
    files, with_metadata : int
        Number of files, and of those that a row names.
    smallest_share : float
        The table fits if at least this share (0 to 1) of its rows has a file, or of the files has a row. A table
        of a larger corpus has many rows without a file. A table of only some tracks leaves many files without a
        row. Neither is a fault.

    Returns
    -------
    str
        A sentence, or "" if the table fits or has no rows.
    """
    rows = found.get("rows", 0)
    if not rows or max(with_metadata / rows, with_metadata / max(files, 1)) >= smallest_share:
        return ""
    return (
        f"Only {with_metadata:,} of {files:,} files have one of the {rows:,} rows of the metadata table. Compare "
        "its column file with the names of the files. SEGUE_METADATA_MIN_SHARE sets the share below which this is "
        "said."
    )


def _some(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in list(names)[:SHOWN_NAMES])
