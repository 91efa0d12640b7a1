"""Delete versions of models with all that MLflow keeps of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient


def delete(client: MlflowClient, name: str, number: int, tags: Iterable[str]) -> None:
    """Delete a version: its files, its run, its tags, and last the version itself.

    After a kill the version is still listed, and the next call deletes the rest.

    Parameters
    ----------
    client : MlflowClient
    name : str
        Name of the model.
    number : int
    tags : iterable of str
        Names of the version's tags, which MLflow would keep.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    run = client.get_run(str(client.get_model_version(name, str(number)).run_id))
    files = get_artifact_repository(run.info.artifact_uri, tracking_uri=client.tracking_uri)
    files.delete_artifacts()  # type: ignore[no-untyped-call]
    client.delete_run(run.info.run_id)
    for tag in tags:
        client.delete_model_version_tag(name, str(number), tag)
    client.delete_model_version(name, str(number))


def delete_rows(client: MlflowClient, name: str, experiment_id: str) -> None:
    """Delete the rows of a model's deleted runs, which MLflow only marks as deleted.

    They would grow by some kB with each training. MLflow's client cannot delete them, so this calls what its
    command `mlflow gc` calls. The rows in a server's database stay: see docs/growth.md.

    Parameters
    ----------
    client : MlflowClient
    name : str
        Name of the model.
    experiment_id : str
        The experiment of the model's runs.
    """
    from mlflow.entities import ViewType

    store = client._tracking_client.store
    if not hasattr(store, "_hard_delete_run"):
        return
    marked = pages(partial(client.search_runs, [experiment_id], run_view_type=ViewType.DELETED_ONLY))
    runs = [run.info.run_id for run in marked]
    # A deletion that was killed may have left a version whose run is marked. It is still listed.
    listed = {version.run_id for version in pages(partial(client.search_model_versions, f"name = '{name}'"))}
    for run_id in runs:
        if run_id not in listed:
            store._hard_delete_run(run_id)


def pages(search: Callable[..., Any]) -> Iterator[Any]:
    """Yield the results of all pages of a search by MLflow's client."""
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        if not (token := page.token):
            return
