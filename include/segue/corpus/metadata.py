"""Read the metadata table of a corpus: a CSV with one row a track."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from segue.corpus.listing import file_id
from segue.corpus.paths import to_text
from segue.errors import CorpusError

REQUIRED = ("track_id", "file")
OPTIONAL = ("title", "artist", "album", "type", "duration", "genre", "language", "date_created")
SCHEMA = ", ".join(f"{name} string" for name in (*REQUIRED, *OPTIONAL[:-1])) + ", date_created date"


@dataclass(frozen=True)
class Metadata:
    """A metadata table whose track ids and files are unique.

    Attributes
    ----------
    rows : pandas.DataFrame
        Columns `REQUIRED` and `OPTIONAL`, all strings as they stand in the file (blank where the file has no such
        column), but `date_created` a date or None.
    rows_read : int
        Rows of the file.
    repeated_ids, repeated_files, unusable_dates : int
        Rows left out because an earlier row has their track id or file; dates that are none, or in the future.
    """

    rows: pd.DataFrame
    rows_read: int = 0
    repeated_ids: int = 0
    repeated_files: int = 0
    unusable_dates: int = 0

    def to_spark(self, spark: SparkSession) -> DataFrame:
        """Hand the rows to Spark."""
        return spark.createDataFrame(self.rows, SCHEMA)


def read(path: Path | None, today: date) -> Metadata:
    """Read a metadata table.

    Parameters
    ----------
    path : Path or None
        CSV in UTF-8 (with or without byte order mark) with a header; None gives an empty table.
    today : date
        Later dates are not believed.

    Returns
    -------
    Metadata
        Of rows with the same track id, or the same file, the first counts.

    Raises
    ------
    CorpusError
        If the file cannot be read, is no CSV, or lacks a required column.
    """
    columns = [*REQUIRED, *OPTIONAL]
    if path is None:
        return Metadata(pd.DataFrame({name: pd.Series(dtype=object) for name in columns}))
    table = _parse(path)
    absent = [name for name in REQUIRED if name not in table.columns]
    if absent:
        raise CorpusError(
            f"{path} lacks the column {' and '.join(absent)}; it has {', '.join(table.columns)}. "
            f"Name the columns as in docs/corpus.md."
        )
    rows = table.reindex(columns=columns, fill_value="")
    rows["file"] = [to_text(name.strip()) for name in rows["file"]]
    rows["track_id"] = [
        track_id.strip() or file_id(name) for track_id, name in zip(rows["track_id"], rows["file"], strict=True)
    ]
    dates = pd.to_datetime(rows["date_created"].str.strip(), format="%Y-%m-%d", errors="coerce")
    usable = dates.notna() & (dates <= pd.Timestamp(today))
    unusable_dates = int((~usable & (rows["date_created"].str.strip() != "")).sum())
    believed = [day.date() if is_usable else None for day, is_usable in zip(dates, usable, strict=True)]
    rows["date_created"] = pd.Series(believed, index=rows.index, dtype=object)
    repeated_ids = rows["track_id"].duplicated()
    repeated_files = rows["file"].duplicated() & ~repeated_ids
    return Metadata(
        rows=rows[~repeated_ids & ~repeated_files],
        rows_read=len(rows),
        repeated_ids=int(repeated_ids.sum()),
        repeated_files=int(repeated_files.sum()),
        unusable_dates=unusable_dates,
    )


def _parse(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 (byte {error.start}). Save it as CSV UTF-8.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise CorpusError(f"{path} is not a CSV table: {error}. Correct it, or take it away.") from error
    except OSError as error:
        raise CorpusError(f"Cannot read {path}: {error.strerror}. Correct SEGUE_METADATA, or unset it.") from error
