from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import jwt
import pytest
import yaml
from pymongo import MongoClient

from segue.connections import for_airflow
from segue.errors import ConfigurationError
from segue.settings import PROJECT_DIR, Settings
from segue.stack import lifecycle, processes, secrets, spark_conf
from segue.stack.airflow_environment import environment


def test_two_processes_choose_the_same_environment(tmp_path):
    """Else every `segue up` would take the running components for outdated, and start them again."""
    program = (
        "from segue.settings import get_settings; from segue.stack.airflow_environment import environment; "
        "print(sorted(environment(get_settings()).items()))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"SEGUE_HOME": str(tmp_path), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert told[0] == told[1] == told[2]


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path):
    settings = Settings(home=tmp_path)
    made = secrets.load(settings)
    assert secrets.load(settings) == made
    assert secrets.load(Settings(home=tmp_path, corpus="other")) != made
    login = json.loads(secrets.passwords_file(settings).read_text())
    assert login == {"admin": made.password, "viewer": made.viewer_password}
    for file in (settings.state_dir / "airflow").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_airflow_gets_the_connections_that_follow_the_settings(tmp_path):
    settings = Settings(home=tmp_path, spark_master="spark://cluster:7077")
    made = secrets.load(settings)
    by_kafka, by_mongo, _ = for_airflow.connections(settings).values()
    assert by_kafka["extra"]["sasl.password"] == made.kafka_password
    assert (by_mongo["login"], by_mongo["password"]) == ("segue", made.mongo_password)
    assert for_airflow.variables(settings).items() <= environment(settings).items()


LOG = """
from airflow.sdk.log import configure_logging
configure_logging(colored_console_log=False)
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from airflow.sdk import DAG, task

@task
def summary():
    print("The last sentence of a task.")

with DAG("d"):
    operator = summary().operator
    operator.execute({})
adapter = OpenLineageAdapter()
adapter.log.info("Successfully emitted an event")
adapter.log.warning("Failed to emit an event")
"""


def test_a_tasks_own_sentence_is_the_last_line_of_its_log(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-c", LOG],
        env=os.environ | environment(Settings(home=tmp_path)),
        capture_output=True,
        text=True,
        check=True,
    )
    logged = answer.stdout + answer.stderr
    assert "The last sentence of a task." in logged
    assert "Failed to emit an event" in logged
    assert "Returned value" not in logged
    assert "Successfully emitted" not in logged


@pytest.mark.parametrize("stack", ["embedded", "compose"])
def test_a_task_that_sleeps_with_the_laptop_overnight_is_still_known_to_airflow(tmp_path, monkeypatch, stack):
    """A token that is older than four fifths of its lifetime is renewed at a heartbeat."""
    from airflow.executors.local_executor import LocalExecutor

    variables = environment(Settings(home=tmp_path))
    if stack == "compose":
        compose = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text())
        variables |= compose["x-segue"]["environment"]
    for name in ("EXECUTION_API__JWT_EXPIRATION_TIME", "API_AUTH__JWT_SECRET"):
        monkeypatch.setenv(f"AIRFLOW__{name}", variables[f"AIRFLOW__{name}"])
    token = LocalExecutor().jwt_generator.generate({"sub": "a task"})
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["exp"] - claims["iat"]) / 5 >= 24 * 3600


def test_a_task_waits_for_an_api_server_that_is_away_for_a_quarter_of_an_hour(tmp_path):
    """The containers wait as long as the embedded stack."""
    embedded = environment(Settings(home=tmp_path))
    compose = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text())["x-segue"]["environment"]
    for section, options in {
        "SCHEDULER": ("TASK_INSTANCE_HEARTBEAT_TIMEOUT", "TASK_QUEUED_TIMEOUT"),
        "WORKERS": ("EXECUTION_API_RETRY_WAIT_MAX", "EXECUTION_API_RETRIES"),
    }.items():
        for name in (f"AIRFLOW__{section}__{option}" for option in options):
            assert compose[name] == embedded[name]
    retries = int(embedded["AIRFLOW__WORKERS__EXECUTION_API_RETRIES"])
    assert retries * float(embedded["AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX"]) / 2 >= 15 * 60
    assert int(embedded["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"]) > 15 * 60


def test_the_executor_in_sparks_own_process_is_not_lost_while_both_are_suspended(tmp_path):
    name = "spark.storage.blockManagerHeartbeatTimeoutMs"
    assert spark_conf.properties(Settings(home=tmp_path))[name] == "365d"
    assert name not in spark_conf.properties(Settings(home=tmp_path, spark_master="spark://cluster:7077"))


def test_spark_samples_a_mongodb_of_the_users_own_and_reads_the_embedded_one_in_a_piece(tmp_path):
    embedded, own = Settings(home=tmp_path), Settings(home=tmp_path, mongo_uri="mongodb://one:27017")
    told = [spark_conf.properties(each) for each in (embedded, own)]
    kinds = [each["spark.mongodb.read.partitioner"].rpartition(".")[2] for each in told]
    assert kinds == ["SinglePartitionPartitioner", "SamplePartitioner"]
    for each, way in ((each, way) for each in told for way in ("read", "write")):
        assert "socketTimeoutMS=300000" in each[f"spark.mongodb.{way}.connection.uri"]
    assert told[1]["spark.mongodb.read.connection.uri"].startswith("mongodb://one:27017/?")
    assert told[0]["spark.master"] == "local[2,4]"


def test_spark_configuration_is_written_anew_for_other_settings(tmp_path):
    folder = spark_conf.write(Settings(home=tmp_path, spark_master="local[1]"))
    assert "spark.master local[1]\n" in (folder / "spark-defaults.conf").read_text()
    assert spark_conf.write(Settings(home=tmp_path, spark_master="local[7]")) == folder
    assert "spark.master local[7]\n" in (folder / "spark-defaults.conf").read_text()
    assert {path.name for path in folder.iterdir()} == {"spark-defaults.conf", "log4j2.properties"}


def test_writes_are_acknowledged_by_a_majority_and_the_journal(tmp_path):
    with MongoClient(Settings(home=tmp_path).mongo, connect=False) as client:
        assert client.write_concern.document == {"w": "majority", "j": True}


def test_a_running_stack_that_logs_in_to_kafka_needs_the_password_that_is_not_stored(tmp_path, monkeypatch):
    secured = {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "PLAIN",
        "kafka_sasl_username": "segue",
        "kafka_sasl_password": "hush",
    }
    started = Settings(home=tmp_path, **secured)
    lifecycle._save(started)
    saved = started.state_dir / "settings.json"
    assert "hush" not in saved.read_text()
    monkeypatch.setattr(processes, "state_dirs", lambda _: {started.state_dir})
    with pytest.raises(ConfigurationError, match="is SASL_SSL: set SEGUE_KAFKA_SASL_PASSWORD too"):
        lifecycle.running(Settings(home=tmp_path))
    monkeypatch.setenv("SEGUE_KAFKA_SASL_PASSWORD", "hush")
    assert lifecycle.running(Settings(home=tmp_path)) == started


def test_a_copy_of_settings_has_an_environment_of_its_own(tmp_path):
    original = Settings(home=tmp_path, corpus="first")
    assert original.environment["SEGUE_CORPUS"] == "first"
    assert original.model_copy(update={"corpus": "second"}).environment["SEGUE_CORPUS"] == "second"
