"""The collection `moods` follows the tracks, and a request for a mood reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from segue.errors import PlaylistError
from segue.playlists import requested
from segue.playlists.library import Library
from segue.tracks import moods
from segue.tracks.nearest import SoundIndex

pytestmark = pytest.mark.integration


@pytest.fixture
def corpus(mongo: Database[Any]) -> Iterator[Database[Any]]:
    database = mongo.client["segue-moods"]
    database["tracks"].insert_many(
        {
            "_id": f"t{i:02}",
            "title": f"Title {i}",
            "artist": f"Artist {i}",
            "duration_s": 180.0,
            "tempo_bpm": 60.0 + 3 * i,
            "beat_regularity": i / 40,
            "key_tonic": "G",
            "key_mode": "minor" if i % 2 else "major",
            "key_confidence": 0.5 + i / 100,
            "loudness_lufs": -30.0 + i / 2,
            "descriptors": {"spectral_centroid_hz": 900.0 + 50 * i},
            "features": b"not read",
        }
        for i in range(40)
    )
    database["tracks"].insert_one({"_id": "bare", "title": "Bare", "duration_s": 180.0})
    yield database
    mongo.client.drop_database(database.name)


def asked(corpus: Database[Any], mood: str) -> list[str]:
    made = requested.mood(Library(corpus, SoundIndex()), "anna", mood, 60)
    assert all(entry.reason.endswith("LUFS.") for entry in made.entries)
    return sorted(entry.track.track_id for entry in made.entries)


def test_a_mood_is_read_from_what_was_found_last(corpus: Database[Any]) -> None:
    library = Library(corpus, SoundIndex())
    assert library.moods() == []
    with pytest.raises(PlaylistError, match="The DAG `playlists` finds them every day"):
        asked(corpus, "calm")
    found = moods.update(corpus)
    assert found == moods.update(corpus)
    assert library.moods() == list(moods.MOODS)
    assert asked(corpus, "calm") == [f"t{i:02}" for i in range(8)]
    assert asked(corpus, "energetic") == [f"t{i:02}" for i in range(32, 40)]
    corpus["tracks"].delete_many({"_id": {"$gte": "t36"}})
    assert asked(corpus, "energetic") == [f"t{i:02}" for i in range(32, 36)], "what is gone is left out at once"
    moods.update(corpus)
    assert asked(corpus, "energetic") == [f"t{i:02}" for i in range(28, 36)]


def test_without_descriptors_the_request_ends_in_a_sentence(corpus: Database[Any]) -> None:
    corpus["tracks"].update_many({}, {"$unset": dict.fromkeys(("tempo_bpm", "key_mode"), "")})
    moods.update(corpus)
    assert Library(corpus, SoundIndex()).moods() == []
    with pytest.raises(PlaylistError, match="No track has the musical descriptors that moods are made of"):
        asked(corpus, "happy")
    with pytest.raises(PlaylistError, match="There is no mood 'bored'"):
        asked(corpus, "bored")
