"""A metadata table: CSV or Parquet. Its columns have Segue's names, or a setting maps Segue's names to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from pyarrow import ArrowException
from upath import UPath

from segue.corpus.metadata import COLUMNS, REQUIRED, Metadata, settle
from segue.errors import CorpusError


@dataclass(frozen=True)
class MetadataTable:
    """A table with one row per track.

    Attributes
    ----------
    path : Path or UPath
        ``.parquet`` is Parquet; anything else CSV in UTF-8, with or without byte order mark, with a header.
    columns : mapping of str to str
        The table's name for a column of `metadata.COLUMNS`, if it differs.
    """

    path: Path | UPath
    columns: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Name the source."""
        return f"table {self.path}"

    def read(self, today: date) -> Metadata:
        """Read the table.

        Parameters
        ----------
        today : date
            Later dates are dropped.

        Returns
        -------
        Metadata

        Raises
        ------
        CorpusError
            If the file cannot be read, is no table, or lacks a column that is required or that the mapping names.
        """
        table = _read_parquet(self.path) if self.path.suffix == ".parquet" else read_csv(self.path)
        self._require([self.columns.get(name, name) for name in REQUIRED] + [*self.columns.values()], table)
        named = {name: self.columns.get(name, name) for name in COLUMNS}
        present = {name: table[there] for name, there in named.items() if there in table}
        return settle(pd.DataFrame(present), today)

    def _require(self, wanted: Sequence[str], table: pd.DataFrame) -> None:
        absent = [name for name in dict.fromkeys(wanted) if name not in table]
        if absent:
            raise CorpusError(
                f"{self.path} lacks the column {' and '.join(absent)}; it has {', '.join(table.columns)}. "
                "Name the columns as in docs/corpus.md, or map them by SEGUE_METADATA_COLUMNS."
            )


def read_csv(path: Path | UPath, **options: Any) -> pd.DataFrame:
    """Read a CSV table as strings; missing values are blank.

    Parameters
    ----------
    path : Path or UPath
    **options
        For `pandas.read_csv`.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    CorpusError
        If it cannot be read, or is not CSV in UTF-8; the message names the remedy.
    """
    try:
        table: pd.DataFrame = pd.read_csv(
            _place(path), dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True, **options
        )
        table = _without_trailing_commas(table)
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 (byte {error.start}). Save it as CSV UTF-8.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise CorpusError(f"{path} is not a CSV table: {error}. Correct it, or take it away.") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    return table


def _without_trailing_commas(table: pd.DataFrame) -> pd.DataFrame:
    """Correct how pandas reads rows with more cells than the header: it uses their first cells as row labels.

    Raises
    ------
    pandas.errors.ParserError
        If the cells beyond the header are not blank.
    """
    surplus = 0 if isinstance(table.index, pd.RangeIndex) else table.index.nlevels
    if not surplus:
        return table
    cells = table.reset_index()
    beyond = cells.iloc[:, -surplus:].fillna("").to_numpy()
    if (beyond != "").any():
        raise pd.errors.ParserError(f"rows have more than the {len(table.columns)} cells of the header")
    return cells.iloc[:, :-surplus].set_axis(table.columns, axis=1)


def _read_parquet(path: Path | UPath) -> pd.DataFrame:
    """Read a Parquet table as strings, written as Python writes values: ``2008-11-26 01:44:45``, ``183.5``."""
    try:
        table = pd.read_parquet(_place(path), dtype_backend="pyarrow")
    except OSError as error:
        raise _unreadable(path, error) from error
    except ArrowException as error:
        raise CorpusError(f"{path} is not a Parquet table: {error}. Correct it, or take it away.") from error
    return table.astype(object).where(table.notna(), "").astype(str)


def _place(path: Path | UPath) -> Path | str:
    """Return the path in the form that pandas accepts: a URL must be text."""
    return path if isinstance(path, Path) else str(path)


def _unreadable(path: Path | UPath, error: OSError) -> CorpusError:
    return CorpusError(f"Cannot read {path}: {error.strerror or error}. Correct SEGUE_METADATA, or unset it.")
