from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import compose

from segue.connections import for_airflow
from segue.settings import PROJECT_DIR, Settings

PROGRAMS = {
    "spark-class": "env",
    "java": 'printf "%q " "$@"',
    "airflow": 'printf "%q " airflow "$@"; [[ $1 != users ]] || { echo; cat; }',
}
"""What stands in for programs: they print what they get."""


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a program in a container's way, and returns its environment."""
    for name, script in PROGRAMS.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/bash\n{script}\n")
        program.chmod(0o755)
    found = [str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]]

    def run(*command, **variables):
        here = {"SEGUE_HOME": str(tmp_path), "SEGUE_JARS": str(tmp_path), "PATH": os.pathsep.join(found)}
        return subprocess.run(
            ["bash", PROJECT_DIR / "docker" / "entrypoint", *(command or ("spark-class", "Master"))],
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


@pytest.mark.parametrize(
    ("command", "becomes"),
    [
        (["scheduler"], ["scheduler"]),
        (["airflow", "scheduler"], ["scheduler"]),  # as Airflow's chart says it
        (["bash", "-c", "exec airflow db check"], ["db", "check"]),
        (["api-server", "--proxy-headers"], ["api-server", "--proxy-headers"]),
    ],
)
def test_a_command_of_airflow_runs_with_and_without_its_name(start, command, becomes):
    told = start(*command)
    assert told.returncode == 0, told.stderr
    assert shlex.split(told.stdout) == ["airflow", *becomes]


def test_the_first_user_gets_their_password_on_no_command_line(start):
    told = start("init", AIRFLOW_USERNAME="anna", AIRFLOW_PASSWORD="hunter 2")  # noqa: S106
    assert told.returncode == 0, told.stderr
    shown, typed = told.stdout.split("anna@localhost")
    assert "hunter" not in shown
    assert typed.split("\n")[1:3] == ["hunter 2", "hunter 2"]


def test_an_executor_on_kubernetes_starts_as_spark_asks_for_it(start):
    asked = {
        "SPARK_CONF_DIR": "/conf",
        "SPARK_EXECUTOR_MEMORY": "2g",
        "SPARK_DRIVER_URL": "spark://driver:7078",
        "SPARK_EXECUTOR_ID": "1",
        "SPARK_EXECUTOR_CORES": "2",
        "SPARK_APPLICATION_ID": "spark-1",
        "SPARK_EXECUTOR_POD_IP": "10.1.2.3",
        "SPARK_RESOURCE_PROFILE_ID": "0",
        "SPARK_EXECUTOR_POD_NAME": "exec-1",
    }
    options = {f"SPARK_JAVA_OPT_{number}": f"-Dn{number}=a b" for number in range(12)}
    told = start("executor", **asked, **options)
    assert told.returncode == 0, told.stderr
    words = shlex.split(told.stdout)
    assert words[:12] == list(options.values())
    assert words[12:14] == ["-Xms2g", "-Xmx2g"]
    assert words[15].startswith("/conf:")
    assert words[15].endswith("pyspark/jars/*:")
    given = dict(zip(words[17::2], words[18::2], strict=True))
    assert given["--driver-url"] == "spark://driver:7078"
    assert given["--podName"] == "exec-1"
