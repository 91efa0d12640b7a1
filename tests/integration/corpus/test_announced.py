"""Which published days are announced, and that they are in Kafka only after MongoDB has them."""

from __future__ import annotations

import json
from datetime import date

import pytest

from segue.connections import kafka as kafka_clients
from segue.connections import offsets, whole_topics
from segue.corpus import announced
from segue.corpus.announcement import announce
from segue.corpus.days import Days
from segue.errors import ServiceUnavailableError
from segue.tracks.collection import missing

pytestmark = pytest.mark.integration

FIRST, SECOND, SEEN_ON = "2026-03-01", "2026-03-02", "2026-03-05"


@pytest.fixture(autouse=True)
def nothing_announced_yet(mongo):
    mongo.drop_collection(announced.COLLECTION)
    yield
    mongo.drop_collection(announced.COLLECTION)


def news(pipeline, days=None):
    """What the job announces and notes, as day to number of tracks."""
    changes = announced.changes(pipeline.lake, pipeline.database, days or Days())
    announced.note(pipeline.database, changes)
    return {change.day: change.tracks for change in changes}


def test_every_day_is_news_once(published):
    assert announced.changes(published.lake, published.database, Days()) != []  # not noted: not announced
    assert news(published) == {FIRST: 2, SECOND: 2, SEEN_ON: 4}
    assert missing(published.database) == 0
    published.database.tracks.delete_one({"_id": "t0"})
    assert missing(published.database) == 1
    published.integrate()
    published.publish()
    assert missing(published.database) == 0
    assert news(published) == {}


def test_only_the_days_of_a_run_are_looked_at(published):
    assert news(published, Days(date(2026, 3, 1), date(2026, 3, 1))) == {FIRST: 2}
    assert news(published) == {SECOND: 2, SEEN_ON: 4}


def test_a_changed_track_makes_its_day_news_and_a_day_without_tracks_has_none(published, add_sound):
    news(published)
    add_sound("Réels/tune no. 1.mp3", 50, title="Tune 1", artist="Anon", genre="reel")
    for number in (2, 3):
        (published.music / f"Réels/tune no. {number}.mp3").unlink()
    published.inventory()
    published.extract()
    published.integrate()
    published.publish()
    assert missing(published.database) == 0, "they were deleted, and are not lost"
    assert news(published) == {FIRST: 2, SECOND: 0}
    assert news(published) == {}


def test_what_is_announced_is_in_kafka_by_day(settings, kafka):
    here = settings.model_copy(update={"tracks_topic": "announced-tracks"})
    announce(here, {SECOND: 0, FIRST: 2})
    announce(here, {})
    records = list(whole_topics.messages(kafka, here.tracks_topic))
    assert offsets.whole_topic(kafka, here.tracks_topic).spans == {0: (0, 2)}
    assert [record.key.decode() for record in records] == [FIRST, SECOND]
    assert json.loads(records[0].value) == {"schema_version": 1, "partition_date": FIRST, "tracks": 2}


def test_a_broker_that_is_away_is_named_and_the_days_stay_news(published, settings, free_ports, monkeypatch):
    monkeypatch.setattr(kafka_clients, "BOOTSTRAP_TIMEOUT_MS", 300)
    [port] = free_ports(1)
    away = settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{port}"})
    changes = announced.changes(published.lake, published.database, Days())
    with pytest.raises(ServiceUnavailableError, match=rf"127\.0\.0\.1:{port}"):
        announce(away, {change.day: change.tracks for change in changes})
    assert news(published) == {FIRST: 2, SECOND: 2, SEEN_ON: 4}
