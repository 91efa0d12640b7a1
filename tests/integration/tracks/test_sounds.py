"""The collection `sounds` follows the published days, and the live index follows the collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.monitoring import CommandListener, CommandStartedEvent

from segue.audio.definition import N_FEATURES
from segue.errors import CorpusError
from segue.settings import Settings
from segue.tracks import sounds
from segue.tracks.nearest import LiveSounds
from segue.tracks.sound_space import SoundSpace
from segue.tracks.vectors import pack

pytestmark = pytest.mark.integration

FEATURES = np.random.default_rng(0).normal(size=(60, N_FEATURES)).astype(np.float32)


@pytest.fixture
def corpus(mongo: Database[Any]) -> Iterator[Database[Any]]:
    """Two days of 10 tracks each."""
    database = mongo.client["segue-sounds"]
    put(database, "2026-01-01", range(10))
    put(database, "2026-01-02", range(10, 20))
    yield database
    mongo.client.drop_database(database.name)


def put(database: Database[Any], day: str, numbers: range) -> None:
    """Publish a day as it is from now on."""
    database["tracks"].delete_many({"partition_date": day})
    tracks = [
        {"_id": f"t{i:02}", "partition_date": day, "features": vector}
        for i, vector in zip(numbers, pack(FEATURES[list(numbers)]), strict=True)
    ]
    if not tracks:
        database["announced"].delete_one({"_id": day})
        return
    database["tracks"].insert_many(tracks)
    told = {"_id": day, "day": day, "tracks": len(tracks), "digest": hash(tuple(numbers)) % 2**60}
    database["announced"].replace_one({"_id": day}, told, upsert=True)


def places(live: LiveSounds, *numbers: int) -> np.ndarray[Any, Any]:
    return live.index.vectors([f"t{i:02}" for i in numbers])


def test_only_days_that_have_changed_are_placed_and_the_index_follows(corpus: Database[Any]) -> None:
    live = LiveSounds(corpus)
    assert not live.refresh()
    assert sounds.update(corpus) == 20
    assert live.refresh()
    expected = SoundSpace.fit(FEATURES[:20]).place(FEATURES[:20])
    found = places(live, *range(20))
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-5)
    assert live.index.near(found[3], 1) == [("t03", pytest.approx(1))]
    assert sounds.update(corpus) == 0
    assert not live.refresh()
    put(corpus, "2026-01-01", range(1, 9))
    put(corpus, "2026-01-02", range(9, 25))  # t09 has moved to this day
    assert sounds.update(corpus) == 24
    index = live.index
    assert live.refresh()
    assert live.index is index
    assert sorted(track for track, _ in index.near(found[3], 100)) == [f"t{i:02}" for i in range(1, 25)]
    np.testing.assert_array_equal(places(live, 9), found[9:10])
    put(corpus, "2026-01-01", range(0))
    assert sounds.update(corpus) == 0
    live.refresh()
    assert "t03" not in live.index
    assert len(live.index) == 16


def test_a_corpus_that_has_doubled_gets_a_new_space(corpus: Database[Any]) -> None:
    live = LiveSounds(corpus)
    sounds.update(corpus)
    live.refresh()
    before = live.index
    put(corpus, "2026-01-03", range(20, 60))
    said: list[str] = []
    assert sounds.update(corpus, said.append) == 60
    assert said[0] == "A space of sound was fitted to 60 of 60 tracks."
    live.refresh()
    assert live.index is not before
    assert len(live.index) == 60
    assert corpus["sounds"].count_documents({}) == 4, "the old space is gone"


def test_a_day_of_many_tracks_has_several_parts_and_an_update_that_was_killed_is_continued(
    corpus: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sounds, "PART", 4)
    sounds.update(corpus)
    first = corpus["sounds"].find_one({"day": "2026-01-01", "_id": {"$regex": "/0$"}})
    assert first is not None
    corpus["sounds"].delete_one({"_id": first["_id"]})  # it is written last, so a kill leaves a day without it
    assert sounds.update(corpus) == 10
    live = LiveSounds(corpus)
    live.refresh()
    assert len(live.index) == 20
    assert corpus["sounds"].count_documents({"day": "2026-01-01"}) == 3


class Counting(CommandListener):
    """Counts the commands by their names."""

    def __init__(self) -> None:
        self.commands = Counter[str]()

    def started(self, event: CommandStartedEvent) -> None:
        self.commands[event.command_name] += 1

    def succeeded(self, event: object) -> None:
        """Count nothing."""

    def failed(self, event: object) -> None:
        """Count nothing."""


def test_a_first_load_of_many_days_writes_them_together(
    corpus: Database[Any], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sounds, "TOGETHER", 20)
    days = [f"2026-02-{day:02}" for day in range(1, 29)] + [f"2026-03-{day:02}" for day in range(1, 13)]
    for number, day in enumerate(days):
        put(corpus, day, range(20 + number, 21 + number))
    counting = Counting()
    with MongoClient[dict[str, Any]](settings.mongo, tz_aware=True, event_listeners=[counting]) as client:
        assert sounds.update(client[corpus.name]) == 60
    assert counting.commands["update"] == 3 + 1, "20 tracks each, and the space"
    assert counting.commands["delete"] == 1, "a delete for each day would read all days"


def test_a_day_that_is_announced_and_has_lost_its_tracks_is_no_error(corpus: Database[Any]) -> None:
    told = {"_id": "2026-01-03", "day": "2026-01-03", "tracks": 1, "digest": 3}
    sounds.update(corpus)
    corpus["announced"].insert_one(told)
    assert sounds.update(corpus) == 0


def test_nothing_published_is_nothing_placed_and_an_older_form_is_refused(mongo: Database[Any]) -> None:
    empty = mongo.client["segue-sounds-none"]
    assert sounds.update(empty) == 0
    assert sounds.revision(empty) is None
    old = {"$jsonSchema": {"properties": {"features": {"bsonType": "array"}}}}
    empty.create_collection("tracks", validator=old)
    empty["announced"].insert_one({"_id": "2026-01-01", "day": "2026-01-01", "tracks": 1, "digest": 1})
    with pytest.raises(CorpusError, match="written by another version"):
        sounds.update(empty)
    mongo.client.drop_database(empty.name)
