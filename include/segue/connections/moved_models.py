"""Models in a state folder that was copied or moved: MLflow's database then names the folder from before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from segue.connections.sqlite_files import TIMEOUT_S

PLACE: Final = "/mlflow/artifacts"
COLUMNS: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def adopt(database: Path, artifacts: str) -> None:
    """Let a database of MLflow name the models beside it, and not those of the folder that it was copied from.

    Parameters
    ----------
    database : Path
        An existing file.
    artifacts : str
        URI of the folder of the models beside it. It ends in `PLACE`.
    """
    with closing(sqlite3.connect(database, timeout=TIMEOUT_S)) as connection, connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
            return
        pattern = f"file:%{PLACE}"
        found = connection.execute(
            "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location LIKE ?", (pattern,)
        )
        for before in {place for (place,) in found} - {artifacts}:
            for table, column in COLUMNS:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} LIKE ? || '/%' "  # noqa: S608 - constants
                    f"OR {column} = ?",
                    (artifacts, len(before) + 1, before, before),
                )
