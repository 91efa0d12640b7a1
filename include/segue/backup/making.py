"""Make a backup, while the stack works."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pymongo.database import Database

from segue import private
from segue.backup import documents, tables
from segue.backup.manifest import Manifest
from segue.connections import kafka, offsets, sqlite_files
from segue.errors import BackupError
from segue.listens.follower import GROUP
from segue.patience import Patience
from segue.settings import Settings

DOCUMENTS: Final = "documents"
LAKE: Final = "lake"
FILES: Final = ("airflow/airflow.db", "mlflow/mlflow.db", "mlflow/tuning.db")
"""Databases of SQLite. The registry comes before its models: a model may be added meanwhile, and stays unknown."""
MODELS: Final = "mlflow/artifacts"
SECRETS: Final = ("airflow/secrets.json", "airflow/passwords.json")
PATIENCE_S: Final = 60.0
"""How long the store of listens may make no progress."""

Say = Callable[[str], None]


def make(settings: Settings, database: Database[Any], folder: Path, say: Say = lambda _: None) -> Manifest:
    """Write everything that Segue knows of its corpus into a new folder. The stack works on meanwhile.

    Parameters
    ----------
    settings : Settings
    database : pymongo.database.Database
        The corpus' database.
    folder : Path
        It must not exist. It appears when the backup is complete; until then its name ends in ``.partial``.
    say : callable, optional
        Called with a sentence about each step.

    Raises
    ------
    BackupError
        If the folder exists, cannot be written to, or a table is damaged. Nothing is left of the backup then.
    ServiceUnavailableError
        If Kafka or MongoDB does not answer.
    """
    folder = folder.resolve()
    if folder.exists():
        raise BackupError(f"{folder} exists. Name a new folder, such as {folder}-{datetime.now(UTC):%Y-%m-%d}.")
    if folder.is_relative_to(settings.state_dir):
        raise BackupError(f"{folder} is inside of what it would back up. Name a folder elsewhere.")
    try:
        with private.new_folder(folder) as partial:
            made = _make(settings, database, partial, say)
            made.write(partial)
    except OSError as error:
        raise BackupError(f"The backup could not be written to {folder}: {error}.") from error
    return made


def _make(settings: Settings, database: Database[Any], folder: Path, say: Say) -> Manifest:
    began = datetime.now(UTC)
    _wait_for_listens(settings)
    left_out, state = [], settings.state_dir
    # The lake first: MongoDB may be ahead of it, as after a publication that was repeated.
    copied: dict[str, int] = {}
    if "://" in settings.lake_uri:
        left_out.append(f"The lake is at {settings.lake_uri}: back it up with the tools of that store.")
    else:
        copied = tables.copy(Path(settings.lake_uri), folder / LAKE)
        say(f"Copied {len(copied)} tables of the lake.")
    (folder / DOCUMENTS).mkdir()
    counts = documents.dump(database, folder / DOCUMENTS)
    say(f"Wrote {sum(counts.values()):,} documents of {len(counts)} collections.")
    elsewhere = {"mlflow_tracking_uri": "registry of models", "airflow_database": "database of Airflow"}
    for name, what in elsewhere.items():
        if getattr(settings, name):
            left_out.append(
                f"The {what} is elsewhere (SEGUE_{name.upper()}): back it up with the tools of that store."
            )
    for file in (file for file in (*FILES, *SECRETS) if (state / file).exists()):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copy2 if file in SECRETS else sqlite_files.copy)(state / file, folder / file)
    if (state / MODELS).exists():
        shutil.copytree(state / MODELS, folder / MODELS, copy_function=_copy)
    say("Copied the models and the databases of Airflow and MLflow.")
    return Manifest(corpus=settings.corpus, made_at=began, documents=counts, tables=copied, left_out=left_out)


def _wait_for_listens(settings: Settings) -> None:
    """Wait until MongoDB has every listen that Kafka has acknowledged up to now."""
    config = kafka.config(settings)
    ends = offsets.whole_topic(config, settings.listens_topic).ends

    patience = Patience(PATIENCE_S)
    while left := ends.ahead_of(offsets.backlog(config, settings.listens_topic, GROUP).starts):
        if patience.is_over(left):
            raise BackupError(
                f"{left:,} listens are in Kafka and not in MongoDB. The listens API stores them. See `segue "
                "status`."
            )
        time.sleep(1)


def _copy(source: str, target: str) -> None:
    """Copy a file of a model. It may be gone, because a training deletes old versions."""
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        return
