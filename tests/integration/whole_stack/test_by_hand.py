"""A DAG that always waits for Kafka can be triggered by hand."""

from __future__ import annotations

import json
import time

import pytest

from segue.connections import offsets
from segue.connections.kafka import config as kafka_config
from segue.connections.topics import create_topics
from segue.demo.airflow_api import FINISHED, AirflowApi
from segue.demo.watch import wait_for_dags, wait_until_deferred
from segue.stack.airflow_environment import LINEAGE_FILE

pytestmark = pytest.mark.integration

DAG = "incremental_retraining"
WITHIN_S = 240


@pytest.fixture
def airflow(stack):
    with AirflowApi(stack.url, stack.username, stack.password) as api:
        wait_for_dags(api, {DAG})
        yield api
        api.set_paused(DAG, paused=True)


def take_in_what_other_tests_sent(settings):
    """Leave nothing to the sensor, which would have a run train on it instead of waiting."""
    kafka = kafka_config(settings)
    offsets.commit(
        kafka, settings.retraining_group, offsets.backlog(kafka, settings.listens_topic, settings.retraining_group)
    )


def ended(airflow, run_id):
    """Wait for the end of a run; its state, and that of its sensor."""
    give_up = time.monotonic() + WITHIN_S
    while (state := airflow.run_state(DAG, run_id)) not in FINISHED:
        assert time.monotonic() < give_up, f"{run_id} is {state}"
        time.sleep(1)
    [sensor] = [task for task in airflow.tasks(DAG, run_id) if task.task_id == "wait_for_listens"]
    return state, sensor


def test_the_run_that_waits_gives_way_and_a_replay_from_nowhere_says_what_is_wrong(settings, airflow):
    create_topics(settings)
    take_in_what_other_tests_sent(settings)
    airflow.set_paused(DAG, paused=False)
    waiting = wait_until_deferred(airflow, DAG)
    by_hand = airflow.trigger(DAG, {"replay_offsets": {"9": 0}})
    state, sensor = ended(airflow, waiting)
    assert (state, sensor.state) == ("success", "skipped")
    state, sensor = ended(airflow, by_hand)
    assert (state, sensor.state) == ("failed", "failed")
    [log] = (settings.state_dir / "airflow" / "logs").glob(f"*/run_id={by_hand}/task_id={sensor.task_id}/*.log")
    assert "replay_offsets: 'listens' has no partition 9, only 0, 1, 2, 3." in log.read_text()
    assert "Successfully emitted OpenLineage" not in log.read_text()
    assert wait_until_deferred(airflow, DAG) not in (waiting, by_hand)
    events = [json.loads(line) for line in (settings.state_dir / "logs" / LINEAGE_FILE).read_text().splitlines()]
    told = {(each["job"]["name"], each["eventType"]) for each in events if each["job"]["namespace"] == "segue"}
    assert {(f"{DAG}.{sensor.task_id}", "START"), (f"{DAG}.{sensor.task_id}", "FAIL"), (DAG, "FAIL")} <= told
