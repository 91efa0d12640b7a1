"""The model registry, in MLflow. By default, MLflow runs on SQLite and files, without a server.

A genre model is a folder in Spark's own format; a recommender is a folder of arrays. Each version is stored with
its parameters, metrics and data version. The alias ``champion`` names the version that serves. It changes in one
step. The old version stays stored until :meth:`Registry.prune` deletes it. The alias ``challenger`` names a
version that is compared with the champion while both serve.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from segue.connections import deleted_versions, mlflow_store
from segue.connections.champions import CHALLENGER, CHAMPION
from segue.connections.deleted_versions import pages
from segue.connections.model_version import Version, for_spark
from segue.errors import ModelError
from segue.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from pyspark.ml import PipelineModel

CHALLENGED_AT = "challenged_at"
"""Tag of a version: when it was named as challenger last."""

FOLDER = "model"

KEPT = 10
"""Number of versions that :meth:`Registry.prune` keeps."""


class Registry:
    """The versions of the models, and the champion of each.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    ServiceUnavailableError, ModelError
        As `segue.connections.mlflow_store.open_store`.
    """

    def __init__(self, settings: Settings) -> None:
        self._store = mlflow_store.open_store(settings)
        self._client = self._store.client

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
        with self._store.alone():
            champion = self.champion(version.name)
            if champion is None:
                raise ModelError(
                    f"There is no champion of {version.name!r} that {version} could be compared with."
                )
            if champion.number == version.number:
                raise ModelError(f"{version} is the champion. Name another version as its challenger.")
            self.tag(version, CHALLENGED_AT, datetime.now(UTC).isoformat(timespec="milliseconds"))
            self._client.set_registered_model_alias(version.name, CHALLENGER, str(version.number))
            self._store.copy()

    def end_challenge(self, challenger: Version, *, promote: bool = False) -> bool:
        """Let a version be the challenger no more, and make it the champion if it was better.

        Returns
        -------
        bool
            False if it is no longer the challenger, or was named anew. Then nothing is changed.
        """
        with self._store.alone():
            found = self.challenger(challenger.name)
            if found is None or (found.number, found.tags) != (challenger.number, challenger.tags):
                return False
            self._client.delete_registered_model_alias(challenger.name, CHALLENGER)
            if promote:
                self._replace(self.champion(challenger.name), challenger)
            else:
                self._store.copy()
            return True

    def _of_alias(self, name: str, alias: str) -> Version | None:
        from mlflow.exceptions import MlflowException

        if self._store.file and not self._store.file.exists():  # SQLite would create an empty one
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
            model.write().save(for_spark(source))
        self._client.set_terminated(run_id)
        self._ensure_model(name)
        return self._version(self._client.create_model_version(name, source, run_id, tags=dict(tags)))

    def versions(self) -> list[Version]:
        """List all versions of all models, by name, the newest first."""
        names = sorted(model.name for model in pages(self._client.search_registered_models))
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
        with self._store.alone():
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
        with self._store.alone():
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
        with self._store.alone():
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
        with self._store.alone():
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
                deleted_versions.delete(self._client, name, version.number, version.tags)
            left = {str(version.number) for version in found} - {str(version.number) for version in gone}
            # Check the tags of all versions, because an earlier call that was killed may have left some.
            for tag, before in replaced.items():
                if tag.startswith(_REPLACED) and not {before, tag.removeprefix(_REPLACED)} <= left:
                    self._client.delete_registered_model_tag(name, tag)
            deleted_versions.delete_rows(self._client, name, self._experiment(name))
            self._store.copy()

    def _replace(self, champion: Version | None, version: Version) -> None:
        if champion and champion.number != version.number:
            self._client.set_registered_model_tag(version.name, _replaced(version), str(champion.number))
        self._serve(version)

    def _serve(self, version: Version) -> None:
        challenger = self.challenger(version.name)
        if challenger is not None and challenger.number == version.number:  # it is not compared with itself
            self._client.delete_registered_model_alias(version.name, CHALLENGER)
        self._client.set_registered_model_alias(version.name, CHAMPION, str(version.number))
        self._store.copy()

    def _versions(self, name: str) -> list[Version]:
        found = pages(partial(self._client.search_model_versions, f"name = '{name}'"))
        return sorted(map(self._version, found), key=lambda version: -version.number)

    def _version(self, found: ModelVersion) -> Version:
        run = self._client.get_run(str(found.run_id))
        made_at = datetime.fromtimestamp(found.creation_timestamp / 1000, UTC)
        location = for_spark(str(found.source))
        return Version(
            found.name, int(found.version), location, run.data.metrics, found.tags, made_at, run.data.params
        )

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name, self._store.artifacts))

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


def _require_reach(uri: str) -> None:
    if urlparse(uri).scheme == "mlflow-artifacts":
        raise ModelError(
            "Spark cannot write through MLflow's server. Start it with --no-serve-artifacts and a "
            "--default-artifact-root that all machines share."
        )
