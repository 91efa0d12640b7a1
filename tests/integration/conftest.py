"""Spark jobs, run in the session of the tests."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from pymongo.database import Database

from segue.connections import spark as spark_of_segue
from segue.settings import PROJECT_DIR, Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def quiet_topic() -> str:
    """Return the name of a topic of listens that no other test has created."""
    return f"quiet-{uuid4().hex[:8]}"


@pytest.fixture
def job(
    quiet_topic: str,
    settings: Settings,
    spark: SparkSession,
    mongo: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Callable[..., Callable[[], None]]]:
    """Return a function that gives a job's main, which runs in the tests' session, without tracks or models."""
    mongo.drop_collection("tracks")
    spark.catalog.clearCache()  # the tracks of the job before: a job has a session of its own
    own = {
        "listens_topic": quiet_topic,
        "lake": str(tmp_path / "lake"),
        "mlflow_tracking_uri": f"sqlite:///{tmp_path}/mlflow.db",
        "tuning_storage": f"sqlite:///{tmp_path}/tuning.db",
    }
    here = settings.model_copy(update=own)

    def main_of(name: str, *arguments: str) -> Callable[[], None]:
        spec = importlib.util.spec_from_file_location(name, PROJECT_DIR / "spark_jobs" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(module, "get_settings", lambda: here)
        monkeypatch.setattr(spark_of_segue, "job", lambda _: nullcontext(spark))
        monkeypatch.setattr(sys, "argv", [f"{name}.py", "--run-id", "a/nothing", *arguments])
        main: Callable[[], None] = module.main
        return main

    yield main_of
    mongo.drop_collection("tracks")
