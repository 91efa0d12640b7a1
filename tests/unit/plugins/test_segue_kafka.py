from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from segue.settings import PROJECT_DIR


@pytest.fixture
def plugin(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(PROJECT_DIR / "plugins"))
    import segue_kafka

    return segue_kafka


def test_the_connection_is_that_of_airflows_kafka_provider(plugin):
    extra = {
        "bootstrap.servers": "a:9092,b:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "me",
        "sasl.password": "secret",
        "ssl.ca.location": "ca.pem",
    }
    assert plugin.client_config(SimpleNamespace(conn_id="k", extra_dejson=extra)) == {
        "bootstrap_servers": "a:9092,b:9092",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": "secret",
        "ssl_cafile": "ca.pem",
    }


def test_a_connection_without_brokers_is_named(plugin):
    with pytest.raises(ValueError, match=r"'k' names no brokers.*bootstrap\.servers"):
        plugin.client_config(SimpleNamespace(conn_id="k", extra_dejson={}))


def test_the_sensor_defers_at_once_with_what_its_templates_rendered_to(plugin):
    from airflow.sdk.exceptions import TaskDeferred

    sensor = plugin.KafkaBacklogSensor(task_id="wait", topic="t", group="g", min_events="7", max_wait_s="60.0")
    assert {"topic", "group", "min_events", "max_wait_s"} <= set(sensor.template_fields)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    _, arguments = deferred.value.trigger.serialize()
    assert arguments["min_events"] == 7
    assert arguments["deadline"] == pytest.approx(time.time() + 60, abs=30)
    assert deferred.value.method_name == "execute_complete"


def test_the_sensor_returns_the_window_for_templates_downstream(plugin):
    sensor = plugin.KafkaBacklogSensor(task_id="wait", topic="t", group="g")
    assert sensor.execute_complete({}, '{"t": {"0": [1, 5]}}') == {"t": {"0": [1, 5]}}
