from __future__ import annotations

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from segue.errors import StackError
from segue.streaming import broker
from segue.streaming.window import OffsetWindow

pytestmark = pytest.mark.integration
GROUP = "a group"


@pytest.fixture
def config(kafka):
    return {"bootstrap_servers": kafka}


@pytest.fixture
def topic(config, request):
    name = f"broker-{request.node.name}"[:200].replace("[", "-").replace("]", "")
    broker.create_listens_topic(config, name)
    return name


def send(config, topic, *partitions):
    with KafkaProducer(**config) as producer:
        for partition in partitions:
            producer.send(topic, b"x", partition=partition).get()


def test_the_topic_has_the_stated_partitions_and_forgets_nothing(config, topic):
    with KafkaAdminClient(**config) as admin:
        [described] = admin.describe_topics([topic])
    assert len(described["partitions"]) == broker.LISTENS_PARTITIONS
    send(config, topic, 0)
    broker.create_listens_topic(config, topic)
    assert broker.whole_topic(config, topic).size == 1


def test_a_topic_that_does_not_exist_has_no_backlog(config):
    assert broker.backlog(config, "no such topic", GROUP) == OffsetWindow("no such topic", {})
    assert broker.whole_topic(config, "no such topic").size == 0


def test_a_group_that_has_committed_nothing_has_everything_before_it(config, topic):
    send(config, topic, 0, 0, 1)
    assert broker.backlog(config, topic, "new group") == OffsetWindow(
        topic, {0: (0, 2), 1: (0, 1), 2: (0, 0), 3: (0, 0)}
    )


def test_looking_commits_nothing_and_committing_moves_the_group_to_the_end_of_the_window(config, topic):
    send(config, topic, 0, 0, 1)
    seen = broker.backlog(config, topic, GROUP)
    assert broker.backlog(config, topic, GROUP) == seen
    send(config, topic, 0, 3)
    broker.commit(config, GROUP, seen)
    assert broker.backlog(config, topic, GROUP) == OffsetWindow(
        topic, {0: (2, 3), 1: (1, 1), 2: (0, 0), 3: (0, 1)}
    )


def test_a_replayed_window_does_not_move_the_group_back(config, topic):
    send(config, topic, 0, 0, 0)
    broker.commit(config, GROUP, OffsetWindow(topic, {0: (0, 3)}))
    broker.commit(config, GROUP, OffsetWindow(topic, {0: (0, 1)}))
    assert broker.backlog(config, topic, GROUP).spans[0] == (3, 3)


def test_an_empty_window_commits_nothing(config, topic):
    broker.commit(config, GROUP, OffsetWindow(topic, {}))
    assert broker.backlog(config, topic, GROUP).size == 0


@pytest.mark.parametrize("committed", [1, 9])
def test_a_commit_that_the_topic_no_longer_holds_falls_back_to_its_first_offset(config, topic, committed):
    from kafka import TopicPartition

    send(config, topic, 0, 0, 0)
    broker.commit(config, GROUP, OffsetWindow(topic, {0: (0, committed)}))
    with KafkaAdminClient(**config) as admin:
        admin.delete_records({TopicPartition(topic, 0): 2})
    assert broker.backlog(config, topic, GROUP).spans[0] == (2, 3)


def test_a_broker_that_is_away_is_named_with_the_remedy(free_ports, monkeypatch):
    monkeypatch.setattr(broker, "BOOTSTRAP_TIMEOUT_MS", 300)
    [port] = free_ports(1)
    with pytest.raises(StackError, match=rf"127\.0\.0\.1:{port}.*segue up.*SEGUE_KAFKA_BOOTSTRAP_SERVERS"):
        broker.backlog({"bootstrap_servers": f"127.0.0.1:{port}"}, "listens", GROUP)


def test_asking_a_broker_that_is_away_leaves_no_thread_behind(free_ports, monkeypatch):
    import threading

    monkeypatch.setattr(broker, "BOOTSTRAP_TIMEOUT_MS", 300)
    [port] = free_ports(1)
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(StackError):
            broker.backlog({"bootstrap_servers": f"127.0.0.1:{port}"}, "listens", GROUP)
    assert threading.active_count() == before
