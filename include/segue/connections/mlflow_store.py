"""Where MLflow keeps the registry: a server, or a database of SQLite beside the files of the models."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from segue.connections import moved_models, sqlite_files
from segue.errors import ModelError, ServiceUnavailableError
from segue.locks import exclusive

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from segue.settings import Settings


@dataclass(frozen=True)
class MlflowStore:
    """An opened registry.

    Parameters
    ----------
    client : MlflowClient
    file : Path or None
        The database, if it is a file of SQLite.
    artifacts : str or None
        URI of the folder of the models. None if a server keeps them.
    lock : Path
        File of the lock on a registry without a server.
    """

    client: MlflowClient
    file: Path | None
    artifacts: str | None
    lock: Path

    def alone(self) -> AbstractContextManager[None]:
        """Lock the files of this registry against changes by other processes. A server needs no such lock."""
        return _alone(self.lock, self.artifacts)

    def copy(self) -> None:
        """Keep a copy of the database, for a repair. A server looks after its own."""
        if self.file and self.file.is_file():
            sqlite_files.copy(self.file, sqlite_files.copy_of(self.file))


def open_store(settings: Settings) -> MlflowStore:
    """Open the registry. A database that does not exist is created.

    Parameters
    ----------
    settings : Settings
        ``mlflow_uri`` is the address of MLflow. If it is a database and not a server, the files of the models are
        in the state folder.

    Raises
    ------
    ServiceUnavailableError
        If MLflow cannot be reached, or its database cannot be opened.
    ModelError
        If the database is a damaged file of SQLite.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import DatabaseError

    # MLflow logs the migrations of an empty database. They do not belong in a task's log.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    uri, folder = settings.mlflow_uri, settings.state_dir / "mlflow"
    artifacts = None if urlparse(uri).scheme.startswith("http") else settings.models_uri
    if artifacts:
        folder.mkdir(parents=True, exist_ok=True)
    file = Path(make_url(uri).database or "") if uri.startswith("sqlite:") else None
    if file:  # an open connection would go on reading a file that was deleted or replaced
        os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    lock = folder / "lock"
    # If two processes create MLflow's tables at the same time, the database cannot be opened afterwards.
    with _alone(lock, artifacts):
        if file and file.is_file() and not file.stat().st_size:  # MLflow would create a new registry in it
            raise damaged(file, "it is empty")
        if file and file.is_file() and artifacts and file.parent == folder:
            _adopt(file, artifacts)
        try:
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            client.search_registered_models(max_results=1)
        except DatabaseError as error:
            if file is None or type(error.orig) is not sqlite3.DatabaseError:
                raise
            raise damaged(file, str(error.orig)) from error
        except MlflowException as error:
            where = make_url(uri).render_as_string(hide_password=True)
            said = str(error).partition("\n")[0].replace(uri, where)
            raise ServiceUnavailableError(
                f"The registry of models cannot be reached at {where}: {said} Start MLflow, or correct "
                "SEGUE_MLFLOW_TRACKING_URI. The present models go on serving."
            ) from error
    return MlflowStore(client, file, artifacts, lock)


def damaged(file: Path, why: str) -> ModelError:
    """Return the error of a registry whose database is damaged."""
    return ModelError(
        f"MLflow's database {file} is damaged: {why}. Restore it from a backup. Without one, run `segue down`, "
        "`segue doctor --repair` and `segue up`. This restores the copy that Segue made when the last model was "
        "promoted. Until then the recommendations stay as they are."
    )


def _alone(lock: Path, artifacts: str | None) -> AbstractContextManager[None]:
    return exclusive(lock) if artifacts else nullcontext()


def _adopt(file: Path, artifacts: str) -> None:
    try:
        moved_models.adopt(file, artifacts)
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # such as a lock, which is no damage
            raise
        raise damaged(file, str(error)) from error
