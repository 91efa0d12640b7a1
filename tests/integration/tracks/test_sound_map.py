"""The collection `sound_map` follows the collection `sounds`, and places stay where they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pymongo.database import Database

from segue.audio.definition import N_FEATURES
from segue.tracks import sound_map, sounds
from segue.tracks.sound_map import NO_GENRE, SoundMap
from segue.tracks.vectors import pack

pytestmark = pytest.mark.integration

FEATURES = np.random.default_rng(0).normal(size=(60, N_FEATURES)).astype(np.float32)


@pytest.fixture
def corpus(mongo: Database[Any]) -> Iterator[Database[Any]]:
    database = mongo.client["segue-sound-map"]
    put(database, "2026-01-01", range(30))
    yield database
    mongo.client.drop_database(database.name)


def put(database: Database[Any], day: str, numbers: range) -> None:
    """Publish a day as it is from now on. Every fifth track has no genre, and every tenth a predicted one."""
    database["tracks"].delete_many({"partition_date": day})
    tracks = [
        {"_id": f"t{i:02}", "partition_date": day, "features": vector, "genre": None if i % 5 == 0 else "Jazz"}
        | ({"genre_predicted": "Rock"} if i % 10 == 0 else {})
        for i, vector in zip(numbers, pack(FEATURES[list(numbers)]), strict=True)
    ]
    database["tracks"].insert_many(tracks)
    told = {"_id": day, "day": day, "tracks": len(tracks), "digest": hash(tuple(numbers)) % 2**60}
    database["announced"].replace_one({"_id": day}, told, upsert=True)
    sounds.update(database)


def drawn(database: Database[Any]) -> SoundMap:
    found = sound_map.read(database)
    assert found is not None
    return found


def test_places_stay_as_tracks_come_and_go(corpus: Database[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_map, "PART", 7)
    assert sound_map.read(corpus) is None
    assert sound_map.update(corpus) == 30
    first, version = drawn(corpus), sound_map.version(corpus)
    assert sound_map.update(corpus) == 30
    assert sound_map.version(corpus) == version, "nothing was written"
    put(corpus, "2026-01-02", range(30, 40))
    put(corpus, "2026-01-01", range(2, 30))
    assert sound_map.update(corpus) == 38
    second = drawn(corpus)
    before, after = (dict(zip(each.track_ids, each.places.tolist(), strict=True)) for each in (first, second))
    assert set(after) == {f"t{i:02}" for i in range(2, 40)}
    assert {track: after[track] for track in after if track in before} == {
        track: place for track, place in before.items() if track in after
    }
    assert np.isfinite(second.places).all()
    assert corpus["sound_map"].distinct("version") == [sound_map.version(corpus)]


def test_everything_is_laid_out_again_if_many_tracks_are_new(corpus: Database[Any]) -> None:
    sound_map.update(corpus)
    said: list[str] = []
    put(corpus, "2026-01-02", range(30, 50))
    assert sound_map.update(corpus, said.append) == 50
    assert "20 of 50 tracks are new, so all are laid out again." in said


def test_genres_are_numbered_by_how_often_they_are(corpus: Database[Any]) -> None:
    sound_map.update(corpus)
    found = drawn(corpus)
    assert found.genres == ["Jazz", "Rock"]
    by_track = dict(zip(found.track_ids, found.genre.tolist(), strict=True))
    assert (by_track["t01"], by_track["t10"], by_track["t05"]) == (0, 1, NO_GENRE)
    packed = found.packed()
    assert int.from_bytes(packed[:4], "little") == 30
    np.testing.assert_array_equal(np.frombuffer(packed[4 : 4 + 8 * 30], "<f4"), found.places.T.ravel())
    assert json.loads(packed[4 + 9 * 30 :]) == {"genres": found.genres, "track_ids": found.track_ids}


def test_an_empty_corpus_has_no_map(corpus: Database[Any]) -> None:
    sound_map.update(corpus)
    corpus["tracks"].delete_many({})
    corpus["announced"].delete_many({})
    sounds.update(corpus)
    assert sound_map.update(corpus) == 0
    assert sound_map.read(corpus) is None
