"""The model registry, in MLflow. By default, MLflow runs on SQLite and files, without a server.

A genre model is a folder in Spark's own format; a recommender is a folder of arrays. Each version is stored with
its parameters, metrics and data version. The alias ``champion`` names the version that serves. It changes in one
step. The old version stays stored until :meth:`Registry.prune` deletes it. The alias ``challenger`` names a
version that is compared with the champion while both serve.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from segue.connections import moved_models, sqlite_files
from segue.connections.champions import CHALLENGER, CHAMPION
from segue.errors import ModelError, ServiceUnavailableError
from segue.locks import exclusive
from segue.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from pyspark.ml import PipelineModel

CHALLENGED_AT = "challenged_at"
"""Tag of a version: when it was named as challenger last."""

FOLDER = "model"

KEPT = 10
"""Number of versions that :meth:`Registry.prune` keeps."""


@dataclass(frozen=True)
class Version:
    """One version of a registered model.

    Parameters
    ----------
    name : str
        Name of the model, such as ``genre``.
    number : int
        Counted from 1.
    location : str
        URI of its folder, in the form that Spark can read.
    metrics : mapping of str to float
        Results that were measured when the version was made.
    tags : mapping of str to str
        They name what the version was made from.
    made_at : datetime
        In UTC.
    parameters : mapping of str to str
        What the version was trained with, such as the seed.
    """

    name: str
    number: int
    location: str
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    made_at: datetime
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}/{self.number}"

    def folder(self, fetch_into: str | None = None) -> Path:
        """Return its folder on this machine. If the registry is elsewhere, fetch the folder first.

        Parameters
        ----------
        fetch_into : str, optional
            Existing folder to fetch into. Default: a new temporary folder, which the caller has to remove.

        Raises
        ------
        ModelError
            If it cannot be fetched.
        """
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        here = urlparse(self.location).scheme in ("", "file")  # if it had a target, MLflow would copy the folder
        try:
            uri = self.location.replace("s3a:", "s3:", 1)
            return Path(download_artifacts(artifact_uri=uri, dst_path=None if here else fetch_into))
        except (MlflowException, OSError) as error:
            raise ModelError(f"{self} cannot be fetched from {self.location}: {error}") from error

    def load(self) -> PipelineModel:
        """Load it into the current Spark session.

        Raises
        ------
        ModelError
            If it is missing or damaged.
        """
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException
        from pyspark.ml import PipelineModel

        try:
            return PipelineModel.load(self.location)
        # PySpark raises the last two if the file with the metadata is empty or is not there.
        except (Py4JJavaError, PySparkException, TypeError, ValueError) as error:
            raise ModelError(
                f"{self} cannot be loaded from {self.location}. Train a new one with the DAG `genre_model`, or "
                f"return to the version before with `segue models rollback {self.name}`. Spark says: {error}"
            ) from error


def damaged(file: Path, why: str) -> ModelError:
    """Return the error of a registry whose database is damaged."""
    return ModelError(
        f"MLflow's database {file} is damaged: {why}. Restore it from a backup. Without one, run `segue down`, "
        "`segue doctor --repair` and `segue up`. This restores the copy that Segue made when the last model was "
        "promoted. Until then the recommendations stay as they are."
    )


class Registry:
    """The versions of the models, and the champion of each.

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

    def __init__(self, settings: Settings) -> None:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import DatabaseError

        # MLflow logs the migrations of an empty database. They do not belong in a task's log.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        uri = settings.mlflow_uri
        folder = settings.state_dir / "mlflow"
        self._artifacts: str | None = None
        if not urlparse(uri).scheme.startswith("http"):
            folder.mkdir(parents=True, exist_ok=True)
            self._artifacts = settings.models_uri
        self._lock = folder / "lock"
        # If two processes create MLflow's tables at the same time, the database cannot be opened afterwards.
        self._file = file = Path(make_url(uri).database or "") if uri.startswith("sqlite:") else None
        if file:  # an open connection would go on reading a file that was deleted or replaced
            os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
        with self._alone():
            if file and file.is_file() and not file.stat().st_size:  # MLflow would create a new registry in it
                raise damaged(file, "it is empty")
            if file and file.is_file() and self._artifacts and file.parent == folder:
                self._adopt(file, self._artifacts)
            try:
                self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
                self._client.search_registered_models(max_results=1)
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

    def _adopt(self, file: Path, artifacts: str) -> None:
        try:
            moved_models.adopt(file, artifacts)
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # such as a lock, which is no damage
                raise
            raise damaged(file, str(error)) from error

    def champion(self, name: str) -> Version | None:
        """Return the version that serves, or None if there is none yet."""
        return self._of_alias(name, CHAMPION)

    def challenger(self, name: str) -> Version | None:
        """Return the version that is compared with the champion while both serve, or None if there is none."""
        return self._of_alias(name, CHALLENGER)

    def challenge(self, version: Version) -> None:
        """Make a version the challenger, in place of another one.

        Raises
        ------
        ModelError
            If the version is the champion, or there is no champion.
        """
        with self._alone():
            champion = self.champion(version.name)
            if champion is None:
                raise ModelError(
                    f"There is no champion of {version.name!r} that {version} could be compared with."
                )
            if champion.number == version.number:
                raise ModelError(f"{version} is the champion. Name another version as its challenger.")
            self.tag(version, CHALLENGED_AT, datetime.now(UTC).isoformat(timespec="milliseconds"))
            self._client.set_registered_model_alias(version.name, CHALLENGER, str(version.number))
            self._copy()

    def end_challenge(self, challenger: Version, *, promote: bool = False) -> bool:
        """Let a version be the challenger no more, and make it the champion if it was better.

        Returns
        -------
        bool
            False if it is no longer the challenger, or was named anew. Then nothing is changed.
        """
        with self._alone():
            found = self.challenger(challenger.name)
            if found is None or (found.number, found.tags) != (challenger.number, challenger.tags):
                return False
            self._client.delete_registered_model_alias(challenger.name, CHALLENGER)
            if promote:
                self._replace(self.champion(challenger.name), challenger)
            else:
                self._copy()
            return True

    def _of_alias(self, name: str, alias: str) -> Version | None:
        from mlflow.exceptions import MlflowException

        if self._file and not self._file.exists():  # SQLite would create an empty one
            return None
        try:
            return self._version(self._client.get_model_version_by_alias(name, alias))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def register(
        self,
        name: str,
        model: PipelineModel | Callable[[Path], None],
        *,
        parameters: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        report: Mapping[str, Any],
        texts: Mapping[str, str] | None = None,
    ) -> Version:
        """Store a model as a new version. It does not serve yet: see :meth:`promote`.

        Parameters
        ----------
        name : str
            Name of the model; the same for all its versions.
        model : PipelineModel or callable
            A model of Spark, or a function that writes a model of another format into a folder.
        parameters, metrics, tags : mapping
            Searchable in MLflow. The tags name what the model was made from.
        report : mapping
            All other measurements, stored beside the model as ``report.json``.
        texts : mapping of str to str, optional
            Further files to store there, by name, such as ``report.html``.

        Raises
        ------
        ModelError
            If Spark cannot write where the registry keeps its files.
        """
        run = self._client.create_run(self._experiment(name), run_name=name, tags=dict(tags))
        run_id = run.info.run_id
        for key, value in parameters.items():
            self._client.log_param(run_id, key, value)
        for key, metric in metrics.items():
            self._client.log_metric(run_id, key, metric)
        everything = {"report.json": json.dumps(report, indent=2, ensure_ascii=False), **(texts or {})}
        for file, text in everything.items():
            self._client.log_text(run_id, text, file)
        source = f"{run.info.artifact_uri}/{FOLDER}"
        if callable(model):
            with tempfile.TemporaryDirectory(prefix="segue-model-") as folder:
                model(Path(folder) / FOLDER)
                self._client.log_artifacts(run_id, f"{folder}/{FOLDER}", FOLDER)
        else:  # the executors write the model, so they must reach the folder
            _require_reach(source)
            model.write().save(_for_spark(source))
        self._client.set_terminated(run_id)
        self._ensure_model(name)
        return self._version(self._client.create_model_version(name, source, run_id, tags=dict(tags)))

    def versions(self) -> list[Version]:
        """List all versions of all models, by name, the newest first."""
        names = sorted(model.name for model in _pages(self._client.search_registered_models))
        return [version for name in names for version in self._versions(name)]

    def version(self, name: str, number: int) -> Version:
        """Find one version.

        Raises
        ------
        ModelError
            If there is none.
        """
        from mlflow.exceptions import MlflowException

        try:
            return self._version(self._client.get_model_version(name, str(number)))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise ModelError(
                    f"There is no {name}/{number}: `segue models list` shows what there is."
                ) from error
            raise

    def tag(self, version: Version, name: str, value: str) -> None:
        """Set a tag of a version."""
        self._client.set_model_version_tag(version.name, str(version.number), name, value)

    def promote(self, version: Version) -> None:
        """Make a version the champion, and record which version it replaced."""
        with self._alone():
            self._replace(self.champion(version.name), version)

    def succeed(self, champion: Version, version: Version) -> bool:
        """Make a version that was made from the champion the new champion, if the old one still serves.

        Parameters
        ----------
        champion : Version
            The version that `version` was made from and compared with.
        version : Version

        Returns
        -------
        bool
            False if another version serves by now. Then nothing is changed. MLflow's server has no conditional
            update. So with a server, this method overlooks a version that begins to serve between its check and
            its change.
        """
        with self._alone():
            found = self.champion(version.name)
            if found is None or found.number != champion.number:
                return False
            self._replace(found, version)
            return True

    def rollback(self, name: str) -> Version:
        """Return to the version that the current champion replaced. A second call goes back one more.

        Returns
        -------
        Version
            The new champion.

        Raises
        ------
        ModelError
            If there is no champion, or the champion replaced no version that is still stored.
        """
        with self._alone():
            champion = self.champion(name)
            if champion is None:
                raise ModelError(f"There is no champion of {name!r} to roll back.")
            version = self.replaced(champion)
            if version is None:
                raise ModelError(
                    f"{champion} replaced no version that is still stored, so there is nothing to go back to."
                )
            self._serve(version)
            return version

    def replaced(self, champion: Version) -> Version | None:
        """Return the version that a champion replaced; None if it replaced none that is still stored."""
        before = self._client.get_registered_model(champion.name).tags.get(_replaced(champion))
        return None if before is None else self.version(champion.name, int(before))

    def replacements(self, name: str) -> dict[int, int]:
        """Return which version each champion of a model replaced, by number. Some may be deleted."""
        tags = self._client.get_registered_model(name).tags
        return {
            int(tag.removeprefix(_REPLACED)): int(before)
            for tag, before in tags.items()
            if tag.startswith(_REPLACED)
        }

    def prune(self, name: str, spare: Callable[[Version], bool] = lambda _: False, *, keep: int = KEPT) -> None:
        """Delete old versions of a model and their files, but not the champion, and not the challenger.

        Parameters
        ----------
        name : str
        spare : callable, optional
            Returns whether a version is kept, however old it is. By default, it returns False for every version.
        keep : int
            Number of the newest versions that are kept. As many earlier champions are kept, too, for rollbacks.
        """
        with self._alone():
            champion, found = self.champion(name), self._versions(name)
            if champion is None or len(found) <= keep:
                return
            replaced = self._client.get_registered_model(name).tags
            stay = {version.number for version in found[:keep]} | {champion.number}
            if challenger := self.challenger(name):
                stay.add(challenger.number)
            number = str(champion.number)
            for _ in range(keep):
                number = replaced.get(_REPLACED + number, number)
                stay.add(int(number))
            gone = [version for version in found if version.number not in stay and not spare(version)]
            for version in gone:
                self._delete(version)
            left = {str(version.number) for version in found} - {str(version.number) for version in gone}
            # Check the tags of all versions, because an earlier call that was killed may have left some.
            for tag, before in replaced.items():
                if tag.startswith(_REPLACED) and not {before, tag.removeprefix(_REPLACED)} <= left:
                    self._client.delete_registered_model_tag(name, tag)
            self._delete_rows(name)
            self._copy()

    def _alone(self) -> AbstractContextManager[None]:
        """Lock the files of this registry against changes by other processes. A server needs no such lock."""
        return exclusive(self._lock) if self._artifacts else nullcontext()

    def _replace(self, champion: Version | None, version: Version) -> None:
        if champion and champion.number != version.number:
            self._client.set_registered_model_tag(version.name, _replaced(version), str(champion.number))
        self._serve(version)

    def _serve(self, version: Version) -> None:
        challenger = self.challenger(version.name)
        if challenger is not None and challenger.number == version.number:  # it is not compared with itself
            self._client.delete_registered_model_alias(version.name, CHALLENGER)
        self._client.set_registered_model_alias(version.name, CHAMPION, str(version.number))
        self._copy()

    def _copy(self) -> None:
        """Keep a copy of MLflow's database, for a repair. A server looks after its own."""
        if self._file and self._file.is_file():
            sqlite_files.copy(self._file, sqlite_files.copy_of(self._file))

    def _versions(self, name: str) -> list[Version]:
        found = _pages(partial(self._client.search_model_versions, f"name = '{name}'"))
        return sorted(map(self._version, found), key=lambda version: -version.number)

    def _delete(self, version: Version) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        run = self._client.get_run(str(self._client.get_model_version(version.name, str(version.number)).run_id))
        # Delete the version last. After a kill it is still listed, and the next call deletes the rest.
        files = get_artifact_repository(run.info.artifact_uri, tracking_uri=self._client.tracking_uri)
        files.delete_artifacts()  # type: ignore[no-untyped-call]
        self._client.delete_run(run.info.run_id)
        for tag in version.tags:  # MLflow would keep them
            self._client.delete_model_version_tag(version.name, str(version.number), tag)
        self._client.delete_model_version(version.name, str(version.number))

    def _delete_rows(self, name: str) -> None:
        """Delete the rows of a model's deleted runs, which MLflow only marks as deleted.

        They would grow by some kB with each training. MLflow's client cannot delete them, so this calls what its
        command `mlflow gc` calls. The rows in a server's database stay: see docs/growth.md.
        """
        from mlflow.entities import ViewType

        store = self._client._tracking_client.store
        if not hasattr(store, "_hard_delete_run"):
            return
        marked = partial(self._client.search_runs, [self._experiment(name)], run_view_type=ViewType.DELETED_ONLY)
        runs = [run.info.run_id for run in _pages(marked)]
        # A prune that was killed may have left a version whose run is marked. It is still listed.
        listed = {
            version.run_id for version in _pages(partial(self._client.search_model_versions, f"name = '{name}'"))
        }
        for run_id in runs:
            if run_id not in listed:
                store._hard_delete_run(run_id)

    def _version(self, found: ModelVersion) -> Version:
        run = self._client.get_run(str(found.run_id))
        made_at = datetime.fromtimestamp(found.creation_timestamp / 1000, UTC)
        location = _for_spark(str(found.source))
        return Version(
            found.name, int(found.version), location, run.data.metrics, found.tags, made_at, run.data.params
        )

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name, self._artifacts))

    def _ensure_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


_REPLACED = "replaced_by_"


def _replaced(version: Version) -> str:
    """Return the name of a registered model's tag that records which version `version` replaced."""
    return f"{_REPLACED}{version.number}"


def _pages(search: Callable[..., Any]) -> Iterator[Any]:
    """Yield the results of all pages of a search."""
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        if not (token := page.token):
            return


def _require_reach(uri: str) -> None:
    if urlparse(uri).scheme == "mlflow-artifacts":
        raise ModelError(
            "Spark cannot write through MLflow's server. Start it with --no-serve-artifacts and a "
            "--default-artifact-root that all machines share."
        )


def _for_spark(uri: str) -> str:
    """Convert a URI for Hadoop, which does not decode percent-encoding, and knows S3 as ``s3a:``."""
    if uri.startswith("s3:"):
        return uri.replace("s3:", "s3a:", 1)
    return f"file:{unquote(urlparse(uri).path)}" if uri.startswith("file:") else uri
