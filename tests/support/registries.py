"""A new registry of models without MLflow's migrations, which take two seconds for each new database."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from segue.connections.registry import Registry
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
