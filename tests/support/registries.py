"""A new registry of models without MLflow's migrations, which take two seconds for each new database."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from mlflow.store.model_registry import sqlalchemy_store  # noqa: F401 - so that no process of the pool imports it
from mlflow.store.tracking import sqlalchemy_store as tracking  # noqa: F401

from segue.connections.registry import Registry
from segue.errors import ModelError
from segue.settings import Settings


@cache
def empty_database() -> bytes:
    """Return the database of a registry without models. MLflow creates its tables once in this process."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), corpus="test")
        Registry(settings)
        return _file(settings).read_bytes()


def _file(settings: Settings) -> Path:
    return settings.state_dir / "mlflow" / "mlflow.db"


def new_registry(home: Path) -> Registry:
    """Return an empty registry in a home of its own."""
    settings = Settings(home=home, corpus="test")
    _file(settings).parent.mkdir(parents=True)
    _file(settings).write_bytes(empty_database())
    return Registry(settings)


def fresh_processes(count: int) -> ProcessPoolExecutor:
    """Return a pool of processes that have opened nothing. They share one import of MLflow, which takes 10 s."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(count, context)


def wait_for_all(folder: Path, number: int, count: int) -> None:
    """Wait until so many processes have called this."""
    (folder / f"ready-{number}").touch()
    while len(list(folder.glob("ready-*"))) < count:
        time.sleep(0.001)


def open_at_once(home: Path, number: int, count: int) -> str:
    """Open the registry when all processes are ready; return its champion."""
    wait_for_all(home, number, count)
    return str(Registry(Settings(home=home, corpus="test")).champion("toy"))


def succeed_at_once(home: Path, number: int, count: int) -> bool:
    """Let this version succeed the first one when all processes are ready; return whether it serves."""
    registry = Registry(Settings(home=home, corpus="test"))
    champion, mine = registry.version("toy", 1), registry.version("toy", number)
    wait_for_all(home, number, count)
    return registry.succeed(champion, mine)


def error_of_opening(home: Path) -> str:
    """Return what a damaged registry says."""
    try:
        Registry(Settings(home=home, corpus="test"))
    except ModelError as error:
        return str(error)
    return ""
