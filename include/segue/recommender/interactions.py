"""Plays by listener and track, and reading them from a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from segue.errors import CorpusError
from segue.recommender.timeline import Timeline
from segue.tables import read_table

NAMES = {
    "user": {"user", "user_id", "userid", "user_name", "listener"},
    "item": {"item", "item_id", "itemid", "track", "track_id", "artist", "artist_id", "artistid"},
    "plays": {"plays", "play_count", "playcount", "count", "weight"},
    "timestamp": {"timestamp", "listened_at", "time"},
}
"""The names that each column may have. Upper and lower case do not matter."""

MILLISECONDS_FROM = 1e11
"""A larger epoch number is read as milliseconds. In seconds, this number would be in the year 5138."""


LOVE = 4.0
"""So many plays does a love add to a track that the listener has played. Measured by `benchmarks/feedback.py`."""


@dataclass(frozen=True)
class Interactions:
    """Plays, as arrays with one element for each row of their source.

    Parameters
    ----------
    user, item : ndarray of int, shape (n_rows,)
        Positions in `users` and `items`.
    plays : ndarray of float32, shape (n_rows,)
        How many plays the row stands for; more than 0.
    timestamp : ndarray of float64, shape (n_rows,), or None
        Seconds since 1970; None if the data has no times.
    users, items : ndarray of str
        Names of listeners and of tracks.
    """

    user: NDArray[np.integer[Any]]
    item: NDArray[np.integer[Any]]
    plays: NDArray[np.float32]
    timestamp: NDArray[np.float64] | None
    users: NDArray[np.str_]
    items: NDArray[np.str_]

    def matrix(self, rows: NDArray[np.bool_] | None = None) -> sparse.csr_matrix:
        """Sum the plays of all rows, or of those marked in `rows`, as a matrix of shape (n_users, n_items)."""
        chosen = slice(None) if rows is None else rows
        shape = (len(self.users), len(self.items))
        return sparse.csr_matrix((self.plays[chosen], (self.user[chosen], self.item[chosen])), shape=shape)

    def timeline(self, rows: NDArray[np.bool_] | None = None) -> Timeline | None:
        """Put the plays of all rows, or of those marked in `rows`, in the order of time.

        Returns
        -------
        Timeline or None
            None if the data has no times, or no row is marked.
        """
        chosen = slice(None) if rows is None else rows
        if self.timestamp is None or not len(self.user[chosen]):
            return None
        return Timeline.of(self.user[chosen], self.item[chosen], self.timestamp[chosen], len(self.items))

    def listens_of_each(self) -> NDArray[np.int64]:
        """Count the rows of each listener; shape (n_users,)."""
        return np.bincount(self.user, minlength=len(self.users))

    def where(self, rows: NDArray[np.bool_]) -> Interactions:
        """Keep some rows. All listeners and tracks stay, in their order."""
        times = None if self.timestamp is None else self.timestamp[rows]
        return replace(self, user=self.user[rows], item=self.item[rows], plays=self.plays[rows], timestamp=times)

    def of_listeners(self, first: int, end: int) -> Interactions:
        """Keep the listeners from position `first` to before position `end`, and their plays."""
        kept = self.where((self.user >= first) & (self.user < end))
        return replace(kept, user=kept.user - first, users=self.users[first:end])

    def among(self, listeners: NDArray[np.bool_], tracks: NDArray[np.bool_]) -> Interactions:
        """Keep the plays of some listeners and tracks. Neither may be without any play.

        Parameters
        ----------
        listeners : ndarray of bool, shape (n_users,)
        tracks : ndarray of bool, shape (n_items,)
        """
        keep = listeners[self.user] & tracks[self.item]
        users, user = np.unique(self.user[keep], return_inverse=True)
        items, item = np.unique(self.item[keep], return_inverse=True)
        times = None if self.timestamp is None else self.timestamp[keep]
        return Interactions(user, item, self.plays[keep], times, self.users[users], self.items[items])


def core(play_counts: sparse.csr_matrix, k: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the k-core: every listener has at least k tracks of it, and every track k listeners.

    Parameters
    ----------
    play_counts : csr_matrix, shape (n_listeners, n_tracks)
    k : int

    Returns
    -------
    listeners : ndarray of bool, shape (n_listeners,)
    tracks : ndarray of bool, shape (n_tracks,)

    Raises
    ------
    CorpusError
        If nothing is left.
    """
    seen = (play_counts > 0).astype(np.int64)
    listeners, tracks = (np.ones(size, dtype=bool) for size in seen.shape)
    left = -1
    while left != (left := int(listeners.sum() + tracks.sum())):
        listeners &= seen @ tracks.astype(np.int64) >= k
        tracks &= seen.T @ listeners.astype(np.int64) >= k
    if not listeners.any():
        raise CorpusError(f"No listener and track have {k} of each other: choose a smaller --min-interactions.")
    return listeners, tracks


def read_interactions(path: Path) -> Interactions:
    """Read a table of plays.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv`` or ``.parquet`` with the columns user and item, and optionally plays (default 1 for each
        row) and timestamp (epoch seconds or milliseconds, or ISO 8601). A column may also have one of the other
        names in `NAMES`.

    Returns
    -------
    Interactions

    Raises
    ------
    CorpusError
        If the file cannot be read or has an impossible value; the message names the column and the row.
    """
    table = read_table(path, text=True)
    table = table.rename(columns=_columns(path, [str(name) for name in table.columns]))
    if table.empty:
        raise CorpusError(f"{path} has a header but no rows.")
    for name in ("user", "item"):
        blank = table[name].isna() | (table[name].astype(str) == "")
        if blank.any():
            raise CorpusError(f"{path}, row {_row(blank)}: the column {name} is empty.")
    plays = _numbers(path, table, "plays") if "plays" in table else np.ones(len(table))
    if (plays < 0).any() or not np.isfinite(plays).all():
        raise CorpusError(
            f"{path}, row {_row((plays < 0) | ~np.isfinite(plays))}: plays must be numbers from 0 up."
        )
    times = _times(path, table) if "timestamp" in table else None
    played = plays > 0
    if not played.any():
        raise CorpusError(f"{path}: every row has 0 plays.")
    user, users = pd.factorize(table["user"].astype(str)[played], sort=True)
    item, items = pd.factorize(table["item"].astype(str)[played], sort=True)
    return Interactions(
        user,
        item,
        plays[played].astype(np.float32),
        None if times is None else times[played],
        np.asarray(users, dtype=str),
        np.asarray(items, dtype=str),
    )


def _columns(path: Path, found: list[str]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for name, known in NAMES.items():
        matching = [column for column in found if column.strip().lower() in known]
        exact = [column for column in matching if column.strip().lower() == name]
        if len(exact or matching) > 1:
            raise CorpusError(f"{path} has several columns for {name}: {', '.join(matching)}. Keep one.")
        if matching:
            renamed[(exact or matching)[0]] = name
    missing = [name for name in ("user", "item") if name not in renamed.values()]
    if missing:
        raise CorpusError(
            f"{path} has no column {' and no column '.join(missing)}; it has {', '.join(found)}. "
            "Its first line must name the columns user,item,plays[,timestamp]."
        )
    return renamed


def _numbers(path: Path, table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    numbers = pd.to_numeric(table[name], errors="coerce").astype(np.float64)
    if numbers.isna().any():
        row = _row(numbers.isna())
        raise CorpusError(f"{path}, row {row}: {name} is {str(table[name].iloc[row - 1])[:50]!r}, not a number.")
    return np.asarray(numbers, dtype=np.float64)


def _times(path: Path, table: pd.DataFrame) -> NDArray[np.float64]:
    column = table["timestamp"]
    if pd.to_numeric(column.head(1), errors="coerce").notna().all() and not pd.api.types.is_datetime64_any_dtype(
        column
    ):
        numbers = _numbers(path, table, "timestamp")
        if np.median(numbers) > MILLISECONDS_FROM:
            numbers /= 1000
        return numbers
    times = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    if times.isna().any():
        row = _row(times.isna())
        raise CorpusError(f"{path}, row {row}: timestamp is {str(column.iloc[row - 1])[:50]!r}, not a time.")
    return np.asarray((times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1), dtype=np.float64)


def _row(wrong: pd.Series[bool] | NDArray[np.bool_]) -> int:
    """Return the number of the first wrong row; row 1 is the first below the header."""
    return int(np.flatnonzero(np.asarray(wrong))[0]) + 1
