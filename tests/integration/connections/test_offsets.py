from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from tests.support.api_server import eventually
from tests.support.topics import make_anew

from segue.connections import kafka as kafka_clients
from segue.connections import offsets, topics
from segue.connections.topics import create_topics
from segue.connections.windows import OffsetWindow
from segue.errors import ServiceUnavailableError

pytestmark = pytest.mark.integration
GROUP = "a group"


@pytest.fixture
def config(kafka):
    return kafka


@pytest.fixture
def topic(config, request):
    name = f"broker-{request.node.name}"[:200].replace("[", "-").replace("]", "")
    topics.create_listens_topic(config, name)
    return name


def send(config, topic, *partitions):
    with KafkaProducer(**config) as producer:
        for partition in partitions:
            producer.send(topic, b"x", partition=partition).get()


def test_the_topics_have_the_stated_partitions_and_retention(config, settings):
    names = ("listens", "feedback", "dead_letters", "recommendations", "tracks")
    topics = {name: f"stated-{name}" for name in names}
    own = {f"{name}_topic": topic for name, topic in topics.items()}
    here = settings.model_copy(update=own)
    create_topics(here)
    create_topics(here)  # leaves them as they are
    with KafkaAdminClient(**config) as admin:
        partitions = {each["name"]: len(each["partitions"]) for each in admin.describe_topics([*topics.values()])}
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics.values()]
        [found] = admin.describe_configs(resources, config_filter="all").values()
    day_ms = 24 * 3600 * 1000
    stated = {
        name: (partitions[topic], int(found[topic]["retention.ms"]["value"])) for name, topic in topics.items()
    }
    assert stated == {
        "listens": (4, -1),
        "feedback": (4, -1),
        "dead_letters": (1, 90 * day_ms),
        "recommendations": (4, 7 * day_ms),
        "tracks": (1, 30 * day_ms),
    }


def test_a_topic_that_does_not_exist_has_no_backlog(config):
    assert offsets.backlog(config, "no such topic", GROUP) == OffsetWindow("no such topic", {})
    assert offsets.whole_topic(config, "no such topic").size == 0


def test_a_group_that_has_committed_nothing_has_everything_before_it(config, topic):
    send(config, topic, 0, 0, 1)
    assert offsets.backlog(config, topic, "new group") == OffsetWindow(
        topic, {0: (0, 2), 1: (0, 1), 2: (0, 0), 3: (0, 0)}
    )


def test_looking_commits_nothing_and_committing_moves_the_group_to_the_end_of_the_window(config, topic):
    send(config, topic, 0, 0, 1)
    seen = offsets.backlog(config, topic, GROUP)
    assert offsets.backlog(config, topic, GROUP) == seen
    send(config, topic, 0, 3)
    offsets.commit(config, GROUP, seen)
    assert offsets.backlog(config, topic, GROUP) == OffsetWindow(
        topic, {0: (2, 3), 1: (1, 1), 2: (0, 0), 3: (0, 1)}
    )


def test_a_replayed_window_does_not_move_the_group_back(config, topic):
    send(config, topic, 0, 0, 0)
    offsets.commit(config, GROUP, OffsetWindow(topic, {0: (0, 3)}))
    offsets.commit(config, GROUP, OffsetWindow(topic, {0: (0, 1)}))
    assert offsets.backlog(config, topic, GROUP).spans[0] == (3, 3)


def test_an_empty_window_commits_nothing(config, topic):
    offsets.commit(config, GROUP, OffsetWindow(topic, {}))
    assert offsets.backlog(config, topic, GROUP).size == 0


def test_a_topic_that_was_made_anew_is_the_backlog_though_it_is_longer_than_what_was_committed(config, topic):
    send(config, topic, 0, 0)
    earlier = offsets.backlog(config, topic, GROUP)
    assert offsets.commit(config, GROUP, earlier)
    make_anew(config, topic)
    send(config, topic, *[0] * 5)
    assert offsets.backlog(config, topic, GROUP).spans[0] == (0, 5)
    assert not offsets.commit(config, GROUP, earlier), "a run of the earlier topic ends now"
    present = offsets.backlog(config, topic, GROUP)
    assert present.spans[0] == (0, 5)
    assert offsets.commit(config, GROUP, present)
    assert offsets.backlog(config, topic, GROUP).size == 0


def delete_before(config, topic, partition, offset):
    """What retention does."""
    with KafkaAdminClient(**config) as admin:
        admin.delete_records({TopicPartition(topic, partition): offset})


@pytest.mark.parametrize(("committed", "lost"), [(1, 1), (9, 0)])
def test_a_commit_that_the_topic_no_longer_holds_falls_back_to_its_first_offset(config, topic, committed, lost):
    send(config, topic, 0, 0, 0)
    offsets.commit(config, GROUP, OffsetWindow(topic, {0: (0, committed)}))
    delete_before(config, topic, 0, 2)
    found = offsets.backlog(config, topic, GROUP)
    assert (found.spans[0], found.lost) == ((2, 3), lost)


def test_what_retention_deleted_is_counted_over_all_partitions_and_the_rest_is_covered(config, topic):
    send(config, topic, *[0] * 5, *[1] * 4, 2, 2)
    offsets.commit(config, GROUP, OffsetWindow(topic, {0: (0, 1), 1: (0, 3), 2: (0, 0)}))
    for partition, first in ((0, 4), (1, 2), (2, 2)):
        delete_before(config, topic, partition, first)
    found = offsets.backlog(config, topic, GROUP)
    assert found == OffsetWindow(topic, {0: (4, 5), 1: (3, 4), 2: (2, 2), 3: (0, 0)}, lost=3 + 0 + 2)
    offsets.commit(config, GROUP, found)
    assert offsets.backlog(config, topic, GROUP).lost == 0


def test_a_group_that_has_committed_nothing_has_lost_nothing(config, topic):
    send(config, topic, 0, 0)
    delete_before(config, topic, 0, 1)
    assert offsets.backlog(config, topic, "new group") == OffsetWindow(
        topic, {0: (1, 2), 1: (0, 0), 2: (0, 0), 3: (0, 0)}
    )


def test_a_replay_begins_at_the_offsets_named_and_elsewhere_where_the_group_stands(config, topic):
    send(config, topic, *[0] * 5, *[1] * 4)
    offsets.commit(config, GROUP, OffsetWindow(topic, {0: (0, 5), 1: (0, 2)}))
    assert offsets.replay(config, topic, GROUP, {0: 3}).spans == {0: (3, 5), 1: (2, 4), 2: (0, 0), 3: (0, 0)}


def test_a_replay_of_what_retention_deleted_begins_at_the_earliest_and_counts_the_rest(config, topic):
    send(config, topic, *[0] * 5)
    delete_before(config, topic, 0, 3)
    found = offsets.replay(config, topic, GROUP, {0: 1})
    assert (found.spans[0], found.lost) == ((3, 5), 2)


def test_a_replay_from_a_time_begins_with_what_came_then(config, topic):
    times = (1_000_000, 2_000_000, 3_000_000)
    with KafkaProducer(**config) as producer:
        for partition, at_ms in product((0, 1), times[:2]):
            producer.send(topic, b"x", partition=partition, timestamp_ms=at_ms).get()
        producer.send(topic, b"x", partition=0, timestamp_ms=times[2]).get()
    offsets.commit(config, GROUP, OffsetWindow(topic, {0: (0, 3), 1: (0, 2)}))

    def replayed(seconds):
        return offsets.replay(config, topic, GROUP, datetime.fromtimestamp(seconds, UTC)).spans

    assert replayed(2_000) == {0: (1, 3), 1: (1, 2), 2: (0, 0), 3: (0, 0)}
    assert replayed(2_000.001) == {0: (2, 3), 1: (2, 2), 2: (0, 0), 3: (0, 0)}
    assert replayed(9_999) == {0: (3, 3), 1: (2, 2), 2: (0, 0), 3: (0, 0)}
    assert replayed(-0.001) == {0: (0, 3), 1: (0, 2), 2: (0, 0), 3: (0, 0)}


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ({7: 0}, "has no partition 7, only 0, 1, 2, 3"),
        ({0: 3}, "partition 0 of '.*' goes up to 2, not to 3"),
        ({0: -1}, "goes up to 2, not to -1"),
    ],
    ids=["partition", "beyond", "negative"],
)
def test_a_replay_from_where_nothing_is_says_so(config, topic, start, sentence):
    send(config, topic, 0, 0)
    with pytest.raises(ValueError, match=sentence):
        offsets.replay(config, topic, GROUP, start)


def test_a_replay_of_a_topic_that_does_not_exist_says_so(config):
    with pytest.raises(ValueError, match="there is no topic 'no such topic'"):
        offsets.replay(config, "no such topic", GROUP, datetime.now(UTC))


def test_a_broker_that_is_away_is_named_with_the_remedy(free_ports, monkeypatch):
    monkeypatch.setattr(kafka_clients, "BOOTSTRAP_TIMEOUT_MS", 300)
    [port] = free_ports(1)
    with pytest.raises(
        ServiceUnavailableError, match=rf"127\.0\.0\.1:{port}.*segue up.*SEGUE_KAFKA_BOOTSTRAP_SERVERS"
    ):
        offsets.backlog({"bootstrap_servers": f"127.0.0.1:{port}"}, "listens", GROUP)


def test_asking_a_broker_that_is_away_leaves_no_thread_behind(free_ports, monkeypatch):
    import threading

    monkeypatch.setattr(kafka_clients, "BOOTSTRAP_TIMEOUT_MS", 300)
    [port] = free_ports(1)
    before = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(ServiceUnavailableError):
            offsets.backlog({"bootstrap_servers": f"127.0.0.1:{port}"}, "listens", GROUP)
    eventually(lambda: set(threading.enumerate()) <= before)
