"""Read users' tables: CSV, TSV or Parquet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from segue.errors import CorpusError


def read_table(path: Path, *, text: bool = False) -> pd.DataFrame:
    """Read a table.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv`` or ``.parquet``.
    text : bool
        Whether to keep the cells of a CSV or TSV as text.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    CorpusError
        If the file does not exist or cannot be read.
    """
    if not path.is_file():
        raise CorpusError(f"There is no file {path}.")
    kind = path.suffix.lower()
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        if kind in {".csv", ".tsv"}:
            separator = "," if kind == ".csv" else "\t"
            if text:
                return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
            return pd.read_csv(path, sep=separator, low_memory=False)
    except pd.errors.EmptyDataError:
        raise CorpusError(f"{path} is empty.") from None
    except (pd.errors.ParserError, ValueError, OSError) as error:
        raise CorpusError(f"{path} cannot be read as {kind.removeprefix('.')}: {error}") from error
    raise CorpusError(f"{path}: the name of a table must end in .csv, .tsv or .parquet.")
