"""The sensor's trigger, and the operator that commits, against a real broker."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from tests.support.topics import make_anew

from segue.connections import for_airflow, offsets, topics
from segue.connections import kafka as kafka_clients
from segue.connections.windows import OffsetWindow
from segue.settings import PROJECT_DIR
from segue.stack import kafka as kafka_service
from segue.stack import lifecycle

pytestmark = pytest.mark.integration
GROUP = "sensor"


@pytest.fixture
def topic(kafka, request):
    name = "sensor-" + re.sub(r"[^\w-]", ".", request.node.name)
    topics.create_listens_topic(kafka, name)
    return name


@pytest.fixture
def plugins(kafka, settings, monkeypatch, tmp_path):
    """Import plugins as Airflow does, with the connection of the stack."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert kafka
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA_DEFAULT", for_airflow.variables(settings)["AIRFLOW_CONN_KAFKA_DEFAULT"])
    monkeypatch.syspath_prepend(str(PROJECT_DIR / "plugins"))


@pytest.fixture
def trigger(topic, plugins):  # noqa: ARG001
    from segue_kafka import KafkaBacklogTrigger

    def make(**changes):
        chosen = {
            "topic": topic,
            "group": GROUP,
            "min_events": 3,
            "deadline": time.time() + 3600,
            "poll_interval_s": 0.05,
            "kafka_conn_id": "kafka_default",
            "hold_s": 0,
        }
        return KafkaBacklogTrigger(**(chosen | changes))

    return make


def send(kafka, topic, *partitions):
    with KafkaProducer(**kafka) as producer:
        for partition in partitions:
            producer.send(topic, b"x", partition=partition).get()


async def fire(trigger, meanwhile=None):
    waiting = asyncio.create_task(anext(trigger.run()))
    if meanwhile:
        await asyncio.sleep(1)
        assert not waiting.done()
        await asyncio.to_thread(meanwhile)
    event = await asyncio.wait_for(waiting, 60)
    window = json.loads(event.payload)
    for partitions in window.values():
        assert partitions.pop("topic_id")
    return window


def test_it_waits_until_there_are_enough_and_returns_exactly_those(kafka, topic, trigger):
    send(kafka, topic, 0, 1)
    window = asyncio.run(fire(trigger(), meanwhile=lambda: send(kafka, topic, 1)))
    assert window == {topic: {"0": [0, 1], "1": [0, 2], "2": [0, 0], "3": [0, 0]}}


def test_what_is_committed_does_not_count(kafka, topic, trigger):
    config = kafka
    send(kafka, topic, 0, 0, 0, 0)
    offsets.commit(config, GROUP, offsets.backlog(config, topic, GROUP))
    window = asyncio.run(fire(trigger(), meanwhile=lambda: send(kafka, topic, 0, 2, 2)))
    assert window == {topic: {"0": [4, 5], "1": [0, 0], "2": [0, 2], "3": [0, 0]}}


def test_firing_commits_nothing(kafka, topic, trigger):
    send(kafka, topic, 0, 0, 0)
    first = asyncio.run(fire(trigger()))
    assert asyncio.run(fire(trigger())) == first


def test_after_the_longest_wait_a_single_event_is_enough(kafka, topic, trigger):
    late = trigger(deadline=time.time() - 1)
    window = asyncio.run(fire(late, meanwhile=lambda: send(kafka, topic, 3)))
    assert window[topic]["3"] == [0, 1]


def test_it_waits_for_a_topic_that_does_not_exist_yet(kafka, trigger):
    def create():
        topics.create_listens_topic(kafka, "sensor-later")
        send(kafka, "sensor-later", 0, 0, 0)

    window = asyncio.run(fire(trigger(topic="sensor-later"), meanwhile=create))
    assert window["sensor-later"]["0"] == [0, 3]


def test_it_waits_for_a_broker_that_is_killed_and_comes_back(settings, kafka, topic, trigger, monkeypatch):
    monkeypatch.setattr(kafka_clients, "BOOTSTRAP_TIMEOUT_MS", 1_000)
    send(kafka, topic, 0, 0)
    process = kafka_service.service(settings).process()
    process.kill()
    process.wait()

    def come_back():
        lifecycle.up(settings, ["kafka"])
        send(kafka, topic, 1)

    window = asyncio.run(fire(trigger(), meanwhile=come_back))
    assert window == {topic: {"0": [0, 2], "1": [0, 1], "2": [0, 0], "3": [0, 0]}}


def test_partitions_that_are_added_belong_to_the_next_window(kafka, topic, trigger):
    config = kafka
    send(kafka, topic, 0, 0)
    offsets.commit(config, GROUP, offsets.backlog(config, topic, GROUP))

    def add():
        with KafkaAdminClient(**config) as admin:
            admin.create_partitions({topic: 6})
        while len(offsets.whole_topic(config, topic).spans) < 6:
            time.sleep(0.05)
        send(kafka, topic, 5, 5, 0)

    window = asyncio.run(fire(trigger(), meanwhile=add))
    assert window[topic] == {"0": [2, 3], "1": [0, 0], "2": [0, 0], "3": [0, 0], "4": [0, 0], "5": [0, 2]}
    offsets.commit(config, GROUP, OffsetWindow.from_json(json.dumps(window)))
    assert offsets.backlog(config, topic, GROUP).size == 0


@pytest.mark.usefixtures("plugins")
def test_committing_is_what_empties_the_backlog(kafka, topic):
    from segue_kafka import KafkaCommitOperator

    config = kafka
    send(kafka, topic, 0, 2)
    window = offsets.backlog(config, topic, GROUP).to_json()
    send(kafka, topic, 2)
    KafkaCommitOperator(task_id="commit", window=window, group=GROUP).execute({})
    assert offsets.backlog(config, topic, GROUP).spans == {0: (1, 1), 1: (0, 0), 2: (1, 2), 3: (0, 0)}


def test_what_was_committed_of_a_topic_that_was_made_anew_does_not_hold_the_group_back(kafka, topic):
    config = kafka
    with KafkaAdminClient(**config) as admin:
        admin.alter_group_offsets(GROUP, {TopicPartition(topic, 0): OffsetAndMetadata(5_000, "", -1)})
    send(kafka, topic, 0, 0)
    window = offsets.backlog(config, topic, GROUP)
    assert window.spans[0] == (0, 2)
    offsets.commit(config, GROUP, window)
    assert offsets.backlog(config, topic, GROUP).size == 0


@pytest.mark.usefixtures("plugins")
def test_a_run_of_an_earlier_topic_commits_nothing(kafka, topic):
    from segue_kafka import KafkaCommitOperator

    config = kafka
    send(kafka, topic, 0, 0)
    window = offsets.backlog(config, topic, GROUP).to_json()
    make_anew(config, topic)
    send(kafka, topic, 0, 0, 0)
    KafkaCommitOperator(task_id="commit", window=window, group=GROUP).execute({})
    assert offsets.backlog(config, topic, GROUP).size == 3


@pytest.mark.usefixtures("plugins")
def test_a_replay_returns_at_once_and_its_commit_does_not_move_the_group_back(kafka, topic):
    from segue_kafka import KafkaBacklogSensor, KafkaCommitOperator

    config = kafka
    send(kafka, topic, 0, 0, 0, 1)
    offsets.commit(config, GROUP, offsets.backlog(config, topic, GROUP))

    def replayed(**start):
        window = KafkaBacklogSensor(task_id="wait", topic=topic, group=GROUP, **start).execute({})
        assert window[topic].pop("topic_id")
        return window

    window = replayed(replay_offsets='{"0": 1}')
    assert window == {topic: {"0": [1, 3], "1": [1, 1], "2": [0, 0], "3": [0, 0]}}
    assert replayed(replay_from="1970-01-01")[topic]["1"] == [0, 1]
    KafkaCommitOperator(task_id="commit", window=json.dumps(window), group=GROUP).execute({})
    earlier = OffsetWindow(topic, {0: (0, 1)}).to_json()
    KafkaCommitOperator(task_id="commit", window=earlier, group=GROUP).execute({})
    assert offsets.backlog(config, topic, GROUP).size == 0


@pytest.mark.usefixtures("plugins")
def test_a_replay_from_a_partition_that_is_not_there_names_the_param(topic):
    from airflow.sdk.exceptions import AirflowFailException

    from segue_kafka import KafkaBacklogSensor

    sensor = KafkaBacklogSensor(task_id="wait", topic=topic, group=GROUP, replay_offsets='{"9": 0}')
    with pytest.raises(AirflowFailException, match=r"^replay_offsets: .* has no partition 9"):
        sensor.execute({})


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("start", [{"replay_from": "2999-01-01"}, {"replay_offsets": '{"0": 1}'}])
def test_a_replay_of_nothing_is_refused(kafka, topic, start):
    from airflow.sdk.exceptions import AirflowFailException

    from segue_kafka import KafkaBacklogSensor

    send(kafka, topic, 0)
    offsets.commit(kafka, GROUP, offsets.backlog(kafka, topic, GROUP))
    with pytest.raises(AirflowFailException, match="there is nothing to replay"):
        KafkaBacklogSensor(task_id="wait", topic=topic, group=GROUP, **start).execute({})


def test_what_retention_deleted_is_told_with_the_window(kafka, topic, trigger):
    config = kafka
    send(kafka, topic, *[0] * 6)
    offsets.commit(config, GROUP, OffsetWindow(topic, {0: (0, 1)}))
    with KafkaAdminClient(**config) as admin:
        admin.delete_records({TopicPartition(topic, 0): 3})
    window = asyncio.run(fire(trigger()))
    assert window == {topic: {"0": [3, 6], "1": [0, 0], "2": [0, 0], "3": [0, 0], "lost": 2}}


def test_the_trigger_can_be_made_anew_from_what_the_database_keeps(trigger):
    from airflow.sdk.module_loading import import_string

    original = trigger(min_events=7)
    path, arguments = json.loads(json.dumps(original.serialize()))
    again = import_string(path)(**arguments)
    assert again.serialize() == original.serialize()


def test_waiting_does_not_block_the_other_triggers(kafka, topic, trigger, monkeypatch):
    send(kafka, topic, 0, 0, 0)
    entered, go_on = threading.Event(), threading.Event()
    backlog = offsets.backlog

    def held_up(*arguments):  # a look that lasts until another trigger of the same loop ends it
        entered.set()
        assert go_on.wait(10), "the loop stood still while the trigger looked"
        return backlog(*arguments)

    monkeypatch.setattr(offsets, "backlog", held_up)

    async def another():
        while not entered.is_set():
            await asyncio.sleep(0.01)
        go_on.set()

    async def both():
        waiting = asyncio.create_task(anext(trigger().run()))
        await another()
        return await waiting

    assert json.loads(asyncio.run(both()).payload)[topic]["0"] == [0, 3]
