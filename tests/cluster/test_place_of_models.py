"""The place of the models is on a disk that the workers do not share: what nobody can load is not promoted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.support.standalone import ONE_CORE, run_module, spark_cluster

from segue.connections.registry import Registry
from segue.connections.spark import REFUSED
from segue.settings import Settings
from segue.stack import jars

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may hide a folder from a process"),
]


def test_a_model_whose_files_stay_with_the_workers_is_not_promoted(settings: Settings, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    jars.fetch(settings)
    with spark_cluster(tmp_path, hidden=models) as cluster:
        own = {"corpus": "unshared", "models": str(models), "spark_master": cluster.master, **ONE_CORE}
        here = settings.model_copy(update=own)
        answer = run_module(here, "tests.support.stored_model")
    last_line = answer.stdout.splitlines()[-1]
    assert answer.returncode == REFUSED, answer.stdout[-2000:] + answer.stderr[-4000:]
    assert "toy/1 is not promoted" in last_line
    assert "SEGUE_MODELS" in last_line
    assert Registry(here).champion("toy") is None
