"""Executors are lost while a corpus is extracted: only the files of their running tasks are extracted again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.audio_files import music, write_soundfile
from tests.support.standalone import ONE_CORE, Cluster, run_module, spark_cluster

from segue.settings import Settings
from segue.stack import jars

pytestmark = pytest.mark.cluster

CLIPS = 60


@pytest.fixture(scope="module")
def cluster(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    jars.fetch(settings)
    with spark_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for number in range(CLIPS):
        write_soundfile(folder / f"{number:02}.ogg", music(2.0) * (0.5 + number / CLIPS / 2))
    return folder


def extract(settings: Settings, cluster: Cluster, clips: Path, lake: Path, moment: str) -> dict[str, Any]:
    """Extract while executors are lost. Return the report."""
    own = {"corpus": "losses", "spark_master": cluster.master, "spark_cores": 2, **ONE_CORE}
    workers = [str(worker.pid) for worker in cluster.workers]
    job = "tests.support.extraction_with_losses"
    answer = run_module(settings.model_copy(update=own), job, str(clips), str(lake), moment, *workers)
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-8000:]
    assert "Lost executor" in answer.stderr, "no executor was killed"
    report: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return report


def test_an_executor_that_dies_costs_its_own_files_only(
    settings: Settings, cluster: Cluster, clips: Path, tmp_path: Path
) -> None:
    report = extract(settings, cluster, clips, tmp_path / "lake", "extracting")
    assert (report["outcomes"]["features"], report["outcomes"]["rejects"]) == (CLIPS, 0)
    assert 0 < report["work"]["extracted_again"] < CLIPS / 2


def test_executors_that_die_before_the_commit_cost_nothing(
    settings: Settings, cluster: Cluster, clips: Path, tmp_path: Path
) -> None:
    report = extract(settings, cluster, clips, tmp_path / "lake", "committing")
    assert (report["outcomes"]["features"], report["outcomes"]["rejects"]) == (CLIPS, 0)
    assert report["work"]["extracted_again"] == 0
    assert not list((tmp_path / "lake" / "_checkpoints").iterdir()), "a job removes its checkpoints"
