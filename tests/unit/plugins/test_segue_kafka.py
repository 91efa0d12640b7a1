from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import certifi
import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaConfigurationError, UnrecognizedBrokerVersion

from segue.connections import offsets
from segue.connections.windows import OffsetWindow
from segue.errors import ServiceUnavailableError


@pytest.fixture
def plugin():
    import segue_kafka

    return segue_kafka


def test_the_connection_is_that_of_airflows_kafka_provider(plugin):
    extra = {
        "bootstrap.servers": "a:9092,b:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "me",
        "sasl.password": "secret",
        "ssl.ca.location": certifi.where(),
    }
    assert plugin.client_config(SimpleNamespace(conn_id="k", extra_dejson=extra)) == {
        "bootstrap_servers": "a:9092,b:9092",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": "secret",
        "ssl_cafile": certifi.where(),
    }


def test_a_connection_without_brokers_is_named(plugin):
    with pytest.raises(ValueError, match=r"'k' names no brokers.*bootstrap\.servers"):
        plugin.client_config(SimpleNamespace(conn_id="k", extra_dejson={}))


@pytest.fixture
def backlog(plugin, monkeypatch):
    """Return a function that sets how many events the broker has, or None for a broker that is away."""
    found = SimpleNamespace(conn_id="k", extra_dejson={"bootstrap.servers": "127.0.0.1:1"})
    monkeypatch.setattr(plugin.BaseHook, "get_connection", lambda _: found)

    def make(size):
        def look(*_):
            if size is None:
                raise ServiceUnavailableError("Kafka does not answer.")
            return OffsetWindow("t", {0: (0, size)})

        monkeypatch.setattr(plugin.broker, "backlog", look)

    return make


@pytest.mark.parametrize(("size", "arrived"), [(6, "6 have arrived"), (None, "an unknown number have arrived")])
def test_the_sensor_defers_while_too_few_events_are_there(plugin, backlog, capsys, size, arrived):
    from airflow.sdk.exceptions import TaskDeferred

    backlog(size)
    sensor = plugin.KafkaBacklogSensor(task_id="wait", topic="t", group="g", min_events="7", max_wait_s="60.0")
    assert {"topic", "group", "min_events", "max_wait_s", "kafka_conn_id"} <= set(sensor.template_fields)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    _, arguments = deferred.value.trigger.serialize()
    assert arguments["min_events"] == 7
    assert arguments["deadline"] == pytest.approx(time.time() + 60, abs=30)
    assert deferred.value.method_name == "execute_complete"
    assert arrived in capsys.readouterr().out


@pytest.mark.parametrize(("size", "max_wait_s"), [(7, "60.0"), (1, "0.0")])
def test_the_sensor_does_not_defer_if_enough_events_are_there(plugin, backlog, size, max_wait_s):
    backlog(size)
    sensor = plugin.KafkaBacklogSensor(task_id="wait", topic="t", group="g", min_events="7", max_wait_s=max_wait_s)
    assert sensor.execute({}) == {"t": {"0": [0, size]}}


def test_the_trigger_looks_only_after_the_process_that_deferred_has_ended(plugin, monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        raise StopAsyncIteration

    monkeypatch.setattr(plugin.asyncio, "sleep", sleep)
    trigger = plugin.KafkaBacklogTrigger(
        topic="t", group="g", min_events=1, deadline=0, poll_interval_s=1, kafka_conn_id="k"
    )
    with pytest.raises(RuntimeError):
        asyncio.run(anext(trigger.run()))
    assert slept == [plugin.HOLD_S]


def test_the_sensor_returns_the_window_for_templates_downstream(plugin):
    sensor = plugin.KafkaBacklogSensor(task_id="wait", topic="t", group="g")
    assert sensor.execute_complete({}, '{"t": {"0": [1, 5]}}') == {"t": {"0": [1, 5]}}


def test_the_first_line_of_a_commit_says_what_it_will_do_and_the_last_what_came_of_it(plugin, monkeypatch, capsys):
    found = SimpleNamespace(conn_id="k", extra_dejson={"bootstrap.servers": "127.0.0.1:1"})
    monkeypatch.setattr(plugin.BaseHook, "get_connection", lambda _: found)
    monkeypatch.setattr(plugin.broker, "commit", lambda *_: True)
    plugin.KafkaCommitOperator(task_id="commit", window='{"t": {"0": [1, 1201]}}', group="g").execute({})
    first, last = [line for line in capsys.readouterr().out.splitlines() if "'t'" in line]
    assert "Commit the offsets of 1,200 events of 't'." in first
    assert "Group 'g' has committed 't' up to" in last


def test_where_a_replay_begins_is_read_from_the_form(plugin):
    eight = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert plugin.replay_start("2026-11-23T08:00:00Z", "") == eight
    assert plugin.replay_start("2026-11-23 08:00", "") == eight
    assert plugin.replay_start("2026-11-23T10:00:00+02:00", "").astimezone(timezone(timedelta(0))) == eight
    assert plugin.replay_start("", '{"0": 120, "3": 0}') == {0: 120, 3: 0}


@pytest.mark.parametrize(
    ("replay_from", "replay_offsets", "sentence"),
    [
        ("yesterday", "", r"replay_from is 'yesterday', which is no time such as 2026-"),
        ("", '{"zero": 120}', r'replay_offsets is \{"zero": 120\}, and not .* such as \{"0": 120\}'),
        ("", '{"0": "120"}', "replay_offsets is"),
        ("", '{"0": true}', "replay_offsets is"),
        ("", '{"0": 1.5}', "replay_offsets is"),
        ("", "[120]", "replay_offsets is"),
        ("", "{0: 120}", "replay_offsets is"),
        ("2026-11-23", '{"0": 120}', "replay_from or replay_offsets, not both"),
    ],
)
def test_a_replay_that_cannot_be_read_fails_with_a_sentence_that_names_the_param(
    plugin, replay_from, replay_offsets, sentence
):
    from airflow.sdk.exceptions import AirflowFailException

    sensor = plugin.KafkaBacklogSensor(
        task_id="wait", topic="t", group="g", replay_from=replay_from, replay_offsets=replay_offsets
    )
    assert {"replay_from", "replay_offsets"} <= set(sensor.template_fields)
    with pytest.raises(AirflowFailException, match=sentence):
        sensor.execute({})


def test_what_retention_took_is_handed_on_and_warned_of(plugin, capsys):
    sensor = plugin.KafkaBacklogSensor(task_id="wait", topic="t", group="g")
    window = {"t": {"0": [4, 5], "lost": 3}}
    assert sensor.execute_complete({}, '{"t": {"0": [4, 5], "lost": 3}}') == window
    assert "3 events before them are lost: retention had deleted them from 't'" in capsys.readouterr().out


def test_the_sensor_skips_its_run_where_another_goes_first(plugin, capsys):
    from airflow.sdk.exceptions import AirflowSkipException

    sensor = plugin.KafkaBacklogSensor(task_id="wait", topic="t", group="g")
    with pytest.raises(AirflowSkipException, match="goes first"):
        sensor.execute_complete({}, None)
    assert "Skipped: another run was triggered" in capsys.readouterr().out


def test_the_trigger_waits_out_whatever_kafka_and_the_connection_answer(plugin, monkeypatch):
    from airflow.sdk.exceptions import AirflowNotFoundException

    looked = []

    async def connection(name):
        looked.append(name)
        if len(looked) == 1:  # what Airflow says while its API server is away
            raise AirflowNotFoundException(f"The conn_id `{name}` isn't defined")
        return SimpleNamespace(conn_id=name, extra_dejson={"bootstrap.servers": "127.0.0.1:1"})

    refusals = [UnrecognizedBrokerVersion("first"), KafkaConfigurationError("then")]

    def client(self, **_):
        self._closed = True
        if refusals:
            raise refusals.pop(0)

    monkeypatch.setattr(plugin.BaseHook, "aget_connection", connection)
    monkeypatch.setattr(KafkaAdminClient, "__init__", client)
    monkeypatch.setattr(KafkaAdminClient, "close", lambda _: None)
    monkeypatch.setattr(offsets, "_whole", lambda *_: OffsetWindow("t", {0: (0, 3)}))
    monkeypatch.setattr(offsets, "_committed", lambda *_: {})
    trigger = plugin.KafkaBacklogTrigger(
        topic="t", group="g", min_events=1, deadline=0, poll_interval_s=0, kafka_conn_id="k", hold_s=0
    )
    event = asyncio.run(asyncio.wait_for(anext(trigger.run()), 30))
    assert event.payload == '{"t": {"0": [0, 3]}}'
    assert refusals == []
    assert looked == ["k", "k"]
