from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segue.settings import Settings
from segue.stack import services_check


def test_embedded_services_that_do_not_run_are_not_tried(tmp_path: Path) -> None:
    assert list(services_check.examine(Settings(home=tmp_path))) == []
    assert list(tmp_path.iterdir()) == []


def test_services_that_are_not_there_are_named_with_the_remedy(
    tmp_path: Path, free_ports: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services_check, "TIMEOUT_MS", 300)
    kafka, mongo, mlflow = free_ports(3)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = Settings(
        home=tmp_path,
        kafka_bootstrap_servers=f"127.0.0.1:{kafka}",
        mongo_uri=f"mongodb://me:hush@127.0.0.1:{mongo}/?directConnection=true",
        mlflow_tracking_uri=f"http://127.0.0.1:{mlflow}",
    )
    found = [finding.sentence for finding in services_check.examine(away)]
    assert "No Kafka broker answers" in found[0]
    assert "MongoDB does not answer" in found[1]
    assert "SEGUE_MLFLOW_TRACKING_URI" in found[2]
    assert "hush" not in " ".join(found)


def test_a_key_that_others_can_read_is_named(tmp_path: Path) -> None:
    key = tmp_path / "client.key"
    key.touch(0o600)
    settings = Settings(home=tmp_path, kafka_ssl_certfile=tmp_path / "client.pem", kafka_ssl_keyfile=key)
    assert list(services_check.examine(settings)) == []
    key.chmod(0o644)
    [finding] = services_check.examine(settings)
    assert f"chmod 600 {key}" in finding.sentence
