from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segue.cli import app
from segue.settings import get_settings


@pytest.fixture
def nothing_runs(tmp_path: Path, free_ports: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    kafka, mongo = free_ports(2)
    settings = {"SEGUE_HOME": tmp_path, "SEGUE_KAFKA_PORT": kafka, "SEGUE_MONGO_PORT": mongo}
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    get_settings.cache_clear()
    get_settings().state_dir.mkdir()  # otherwise the command says that there is no such corpus


@pytest.mark.parametrize("what", ["listens", "topic", "accounts"])
def test_each_command_explains_itself(what: str) -> None:
    told = CliRunner().invoke(app, ["rebuild", what, "--help"])
    assert told.exit_code == 0
    assert what in CliRunner().invoke(app, ["rebuild", "--help"]).output


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("what", ["listens", "topic", "accounts"])
def test_without_the_stack_a_sentence_says_how_to_start_it(what: str) -> None:
    told = CliRunner().invoke(app, ["rebuild", what])
    assert told.exit_code == 1
    assert "No Kafka broker answers at" in told.stderr
    assert "`segue up`" in told.stderr
    get_settings.cache_clear()
