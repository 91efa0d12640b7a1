from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import psutil
import pytest

from segue.connections.spark import REFUSED, TRY_AGAIN
from segue.settings import Settings

TRACEBACK = "Traceback (most recent call last):\nValueError: no such column"


@pytest.fixture(scope="module")
def plugin():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps({"conn_type": "spark", "host": "local[1]"}))
        import segue_spark

        yield segue_spark


@pytest.fixture
def run(plugin, tmp_path):
    """Execute the operator with a program in place of spark-submit that prints something and ends with a code."""

    def execute(output, code, arguments=(), **context):
        (tmp_path / "output").write_text(output + "\n")
        program = tmp_path / "spark-submit"
        keep = f'echo "$@" >{tmp_path}/arguments\nenv >{tmp_path}/environment'
        program.write_text(f"#!/bin/sh\n{keep}\ncat {tmp_path}/output\nexit {code}\n")
        program.chmod(0o755)
        operator = plugin.SparkJobOperator(task_id="t", job="extract", arguments=arguments)
        operator._spark_binary = str(program)
        operator.execute(context)
        return (tmp_path / "arguments").read_text().strip()

    return execute


def test_submits_the_file_of_the_job_to_the_connection(run):
    submitted = run("fine", 0, ["--mode", "skip", "--from", ""])
    assert submitted.startswith("--master local[1] ")
    assert submitted.endswith("spark_jobs/extract.py --run-id {{ dag.dag_id }}/{{ run_id }} --mode skip")


def test_the_first_line_says_what_the_job_will_do(run, capsys):
    run("fine", 0, ["--from", "2026-03-01", "--to", ""])
    logged = capsys.readouterr().out
    job, arguments = "Extract the audio features of some days' files.", "--from 2026-03-01"
    assert 0 <= logged.index(job) < logged.index(arguments) < logged.index("fine")
    assert "--to" not in logged


def test_the_log_has_the_lines_of_the_job_without_the_warning_of_every_jvm(run, capsys):
    noise = (
        "WARNING: Using incubator modules: jdk.incubator.vector",
        "netlib-blas: JNI_OnLoad: dlopen(/none) failed: /none: cannot open shared object file: "
        "No such file or directory",
    )
    run("\n".join([*noise, "WARNING: the disk is slow", "fine"]), 0)
    logged = capsys.readouterr().out
    assert "incubator" not in logged
    assert "netlib" not in logged
    assert logged.index("WARNING: the disk is slow") < logged.index("fine")


def test_a_job_that_was_stopped_says_so(run, plugin, capsys):
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises(AirflowException, match="'extract' was stopped before it was done"):
        run("progress: 1/2", 143)
    plugin.SparkJobOperator(task_id="t", job="extract").on_kill()
    assert "Stopped: Spark job 'extract' was ended before it was done." in capsys.readouterr().out


def test_a_refusal_is_the_reason_and_is_not_tried_again(run):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException) as error:
        run("progress: 1/2\nThe folder /m is empty. Put music into it.", REFUSED)
    assert str(error.value) == "The folder /m is empty. Put music into it."
    assert error.value.__suppress_context__


def test_a_service_that_is_away_is_the_reason_and_is_tried_again(run):
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    with pytest.raises(AirflowException) as error:
        run("progress: 1/2\nMongoDB does not answer at 127.0.0.1:1.", TRY_AGAIN)
    assert not isinstance(error.value, AirflowFailException)
    assert str(error.value) == "MongoDB does not answer at 127.0.0.1:1."


def test_the_job_gets_the_settings_of_the_operator_and_no_password_on_its_command_line(run, monkeypatch, tmp_path):
    secured = Settings(
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="segue",
        kafka_sasl_password="hush",  # noqa: S106 - made up
    )
    monkeypatch.setattr("segue_spark.get_settings", lambda: secured)
    submitted = run("fine", 0)
    assert "SEGUE_KAFKA_SASL_PASSWORD=hush" in (tmp_path / "environment").read_text().splitlines()
    assert "hush" not in submitted


def test_a_connection_to_another_cluster_than_that_of_the_settings_is_named(run, caplog):
    run("fine", 0)
    assert "'spark_default' differs from the SEGUE_ settings in host." in caplog.text


def test_any_other_failure_ends_with_the_jobs_traceback_and_is_tried_again(run):
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    with pytest.raises(AirflowException) as error:
        run(f"progress: 1/2\n{TRACEBACK}", 1)
    assert not isinstance(error.value, AirflowFailException)
    assert str(error.value).startswith("Spark job 'extract' failed. Its last output:\n")
    assert str(error.value).endswith(TRACEBACK)


@pytest.mark.parametrize(
    ("try_number", "max_tries", "is_last"),
    [(2, 7, False), (3, 7, True), (5, 10, False), (6, 10, True)],
    ids=["second", "third", "second after it was cleared", "third after it was cleared"],
)
def test_a_crash_is_tried_again_twice_and_a_service_that_is_away_more_often(run, try_number, max_tries, is_last):
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    ti = SimpleNamespace(try_number=try_number, max_tries=max_tries)
    with pytest.raises(AirflowException) as crash:
        run(TRACEBACK, 1, ti=ti)
    assert isinstance(crash.value, AirflowFailException) is is_last
    assert str(crash.value).endswith(TRACEBACK)
    for code in (TRY_AGAIN, 143):  # MongoDB does not answer; `segue down`
        with pytest.raises(AirflowException) as interrupted:
            run("the last line", code, ti=ti)
        assert not isinstance(interrupted.value, AirflowFailException)


def test_the_retries_last_for_a_quarter_of_an_hour(plugin):
    task = plugin.SparkJobOperator(task_id="t", job="extract")
    delays = [
        min(
            task.retry_delay.total_seconds() * task.retry_exponential_backoff**number, task.max_retry_delay.seconds
        )
        for number in range(task.retries)
    ]
    assert sum(delays) >= 15 * 60


def test_a_job_that_hangs_is_ended_and_is_tried_again(plugin, tmp_path):
    from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout
    from airflow.sdk.execution_time.task_runner import _run_execute_callable

    program, pid = tmp_path / "spark-submit", tmp_path / "pid"
    program.write_text(f"#!/bin/sh\necho $$ >{pid}\necho starting\nexec sleep 600\n")
    program.chmod(0o755)
    operator = plugin.SparkJobOperator(task_id="t", job="extract", execution_timeout=timedelta(seconds=2))
    operator._spark_binary = str(program)
    with pytest.raises(AirflowTaskTimeout, match=r"'extract' took longer than 0:00:02.*SEGUE_SPARK_JOB_HOURS"):
        _run_execute_callable({}, operator.execute, operator)
    assert not issubclass(AirflowTaskTimeout, AirflowException)  # an except clause of the job must not catch it
    operator._hook._submit_sp.wait(30)
    assert not psutil.pid_exists(int(pid.read_text()))


def test_how_long_a_job_may_take_is_a_setting(plugin, monkeypatch):
    monkeypatch.setattr(plugin, "get_settings", lambda: Settings(spark_job_hours=60))
    assert plugin.SparkJobOperator(task_id="t", job="extract").execution_timeout == timedelta(hours=60)


def test_defaults_can_be_overridden_by_the_dag(plugin):
    from airflow.sdk import DAG

    with DAG("d", schedule=None, default_args={"retries": 3}):
        task = plugin.SparkJobOperator(task_id="t", job="extract")
    assert (task.retries, task.pool) == (3, "spark")
