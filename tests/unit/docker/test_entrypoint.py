from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import compose

from segue.connections import for_airflow
from segue.settings import PROJECT_DIR, Settings


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a program in a container's way, and returns its environment."""
    program = tmp_path / "spark-class"
    program.write_text("#!/bin/sh\nenv\n")
    program.chmod(0o755)
    found = [str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]]

    def run(**variables):
        here = {"SEGUE_HOME": str(tmp_path), "SEGUE_JARS": str(tmp_path), "PATH": os.pathsep.join(found)}
        return subprocess.run(
            ["bash", PROJECT_DIR / "docker" / "entrypoint", "spark-class", "Master"],
            env=here | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_containers_get_the_connections_that_follow_their_settings(start):
    """Compose, and later charts, name Kafka, MongoDB and Spark once: in the settings."""
    given = compose.services(compose.example())["airflow-scheduler"]["environment"]
    assert not [name for name in given if name.startswith("AIRFLOW_CONN_")]
    given = {name: value for name, value in given.items() if name.startswith("SEGUE_") and name != "SEGUE_JARS"}
    given["SEGUE_MONGO_URI"] = r"mongodb://segue:it's $HOME \\@mongodb:27017/?authSource=admin"

    told = start(**given)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    settings = Settings(**{name.removeprefix("SEGUE_").lower(): value for name, value in given.items()})
    for name, value in for_airflow.variables(settings).items():
        assert f"{name}={value}" in lines


def test_a_setting_that_cannot_be_ends_the_container_with_its_name(start):
    told = start(SEGUE_AIRFLOW_PORT="none")
    assert told.returncode != 0
    assert "SEGUE_AIRFLOW_PORT='none'" in told.stderr
