"""The champion names the genre of tracks without one, in the real document server."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest
from tests.support.registries import new_registry

from segue.audio.definition import N_FEATURES
from segue.genres import predictions, release
from segue.genres.reports import Predictions
from segue.genres.search import Budget
from segue.genres.training import SearchOptions
from segue.tracks.reading import read_tracks
from segue.tracks.vectors import features_array, pack

pytestmark = pytest.mark.integration

FIELDS = ("artist", "genre", "features", "flags", "language", "year", "split")


@pytest.fixture
def tracks(mongo: Any) -> Any:
    """Publish tracks of two genres, told apart by every feature, and ten whose genre nobody knows."""
    random = np.random.default_rng(0)
    documents = [
        {
            "_id": f"{name}-{i}",
            "artist": f"band {i % 15} {name}",
            "genre": name if i < 50 else None,
            "features": pack(random.normal(size=N_FEATURES) + moved)[0],
            "flags": [],
        }
        for name, moved in (("jig", 0.0), ("reel", 1.0))
        for i in range(55)
    ]
    collection = mongo["tracks"]
    kept = list(collection.find())
    collection.delete_many({})
    collection.insert_many(documents, bypass_document_validation=True)
    yield collection
    collection.delete_many({})
    if kept:
        collection.insert_many(kept)


def test_tracks_without_genre_get_one_once_and_a_damaged_champion_is_told(
    spark: Any, mongo: Any, tracks: Any, tmp_path: Any
) -> None:
    registry = new_registry(tmp_path)
    assert predictions.predict_missing_genres(spark, mongo, registry).reason == "there is no genre champion yet"

    options = SearchOptions(None, "labels", Budget(1, 10))
    published = read_tracks(spark, *FIELDS).withColumn("features", features_array("features"))
    release.release(published, registry, options, say=lambda _: None)
    assert predictions.predict_missing_genres(spark, mongo, registry) == Predictions(tracks=10, model="genre/1")
    named = list(tracks.find({"genre_model": "genre/1"}))
    assert len(named) == 10
    assert all(each["genre"] is None and each["_id"].startswith(each["genre_predicted"]) for each in named)
    assert all(0.5 < each["genre_probability"] <= 1 for each in named)
    assert predictions.predict_missing_genres(spark, mongo, registry).tracks == 0

    tracks.update_one({"_id": "jig-54"}, {"$unset": {"genre_model": ""}})
    champion = registry.champion("genre")
    assert champion is not None
    shutil.rmtree(champion.folder() / "stages")
    told = predictions.predict_missing_genres(spark, mongo, registry)
    assert told.tracks == 0
    assert told.reason is not None
    assert "genre/1 cannot be loaded" in told.reason
