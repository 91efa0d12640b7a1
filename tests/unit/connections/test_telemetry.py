"""Where Airflow's lineage and metrics go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segue.connections import telemetry
from segue.errors import ConfigurationError
from segue.settings import Settings, read_settings
from segue.stack.airflow_environment import environment

HTTP = '{"type": "http", "url": "http://127.0.0.1:5000", "auth": {"type": "api_key", "apiKey": "geheim"}}'


def test_lineage_goes_to_a_file_that_is_rotated_with_the_logs(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    variables = environment(settings)
    assert json.loads(variables["AIRFLOW__OPENLINEAGE__TRANSPORT"]) == {
        "type": "file",
        "log_file_path": str(settings.state_dir / "logs" / "openlineage.log"),
        "append": True,
    }
    assert "AIRFLOW__METRICS__STATSD_ON" not in variables


def test_containers_send_lineage_only_if_a_transport_is_set() -> None:
    assert telemetry.variables(Settings()) == {}
    variables = telemetry.variables(Settings(lineage_transport=HTTP))
    assert json.loads(variables["AIRFLOW__OPENLINEAGE__TRANSPORT"]) == json.loads(HTTP)


def test_an_empty_transport_turns_lineage_off(tmp_path: Path) -> None:
    names = environment(Settings(home=tmp_path, lineage_transport="{}"))
    assert not [name for name in names if "OPENLINEAGE" in name]


@pytest.mark.parametrize("wrong", ["http://127.0.0.1:5000", '{"url": "http://geheim"}', "[1]"])
def test_what_is_no_transport_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("SEGUE_LINEAGE_TRANSPORT", wrong)
    with pytest.raises(
        ConfigurationError, match=r"SEGUE_LINEAGE_TRANSPORT.*no JSON object with a type"
    ) as refused:
        read_settings()
    assert wrong not in str(refused.value)


def test_metrics_have_their_labels_as_tags(tmp_path: Path) -> None:
    variables = environment(Settings(home=tmp_path, statsd_address="127.0.0.1:9125"))
    found = {
        name.removeprefix("AIRFLOW__METRICS__"): value
        for name, value in variables.items()
        if name.startswith("AIRFLOW__METRICS__")
    }
    assert found == {
        "STATSD_ON": "True",
        "STATSD_HOST": "127.0.0.1",
        "STATSD_PORT": "9125",
        "STATSD_INFLUXDB_ENABLED": "True",
        "LEGACY_NAMES_ON": "False",
    }


@pytest.mark.parametrize("wrong", ["127.0.0.1", "http://127.0.0.1:9125", "host:port"])
def test_an_address_without_a_port_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("SEGUE_STATSD_ADDRESS", wrong)
    with pytest.raises(ConfigurationError, match="SEGUE_STATSD_ADDRESS"):
        read_settings()
