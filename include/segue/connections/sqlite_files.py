"""Check a database of SQLite, and keep a copy of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

TIMEOUT_S = 60
"""How long to wait while another process writes."""


def fault(database: Path) -> str | None:
    """Say what is wrong with a database.

    Parameters
    ----------
    database : Path
        An existing file.

    Returns
    -------
    str or None
        None if it is whole.
    """
    if not database.stat().st_size:
        return "it is empty"
    try:
        with closing(sqlite3.connect(database, timeout=TIMEOUT_S)) as connection:
            [answer] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # such as a lock, which is no damage
            raise
        return str(error)
    return None if answer == "ok" else str(answer)


def files(database: Path) -> list[Path]:
    """Return the existing files of a database: itself, and logs of changes, which must not outlive it."""
    names = (f"{database.name}{suffix}" for suffix in ("", "-journal", "-wal", "-shm"))
    return [path for name in names if (path := database.with_name(name)).exists()]


def copy_of(database: Path) -> Path:
    """Return the path of a database's copy."""
    return database.with_name(f"{database.name}.copy")


def copy(database: Path, to: Path) -> None:
    """Write a copy of a database, or replace it, in one step. Other processes may use the database meanwhile."""
    new = to.with_name(f"{to.name}.new")
    new.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(database, timeout=TIMEOUT_S)) as source,
        closing(sqlite3.connect(new)) as target,
    ):
        source.backup(target)
    new.replace(to)
