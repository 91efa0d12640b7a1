"""The champion names the genre of tracks without one, in the real document server."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest
from tests.support.registries import new_registry

from segue.audio.definition import N_FEATURES
from segue.errors import CorpusError
from segue.genres import predictions, release
from segue.genres.reports import Predictions
from segue.genres.search import Budget
from segue.genres.training import SearchOptions
from segue.tracks.reading import read_tracks
from segue.tracks.sound_vectors import FEATURES, VectorColumn, as_array, find_columns
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


def test_a_model_of_another_vector_predicts_the_tracks_that_have_it(
    spark: Any, mongo: Any, tracks: Any, tmp_path: Any
) -> None:
    random = np.random.default_rng(1)
    for track in list(tracks.find({}, {"_id": 1})):
        vector = random.normal(size=3) + (3 if track["_id"].startswith("reel") else 0)
        fields = {"voice": vector.astype("<f4").tobytes(), "voice_version": "v1"}
        if track["_id"] == "jig-54":
            fields = {"voice": b"\0" * 8, "voice_version": "v2"}
        if track["_id"] != "reel-54":
            tracks.update_one({"_id": track["_id"]}, {"$set": fields})
    columns = find_columns(mongo, ("features", "voice"))
    assert columns == (FEATURES, VectorColumn("voice", "v1", 3))
    registry, options = new_registry(tmp_path), SearchOptions(None, "vectors", Budget(1, 10))
    fields = [field for column in columns for field in column.fields]
    published = read_tracks(spark, *[name for name in FIELDS if name != "features"], *fields)
    trained, decision = release.release(
        published.withColumn("features", as_array(columns)), registry, options, vectors=columns, say=lambda _: None
    )
    assert decision.outcome == "promoted"
    assert set(trained.by_vectors) == {"features", "voice", "all"}
    assert predictions.predict_missing_genres(spark, mongo, registry) == Predictions(tracks=8, model="genre/1")
    left = tracks.find({"genre": None, "genre_model": None})
    assert sorted(each["_id"] for each in left) == ["jig-54", "reel-54"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("none", "no published track has such a vector"), ("artist", "is no binary data of float32")],
)
@pytest.mark.usefixtures("tracks")
def test_a_field_that_is_no_vector_is_named(mongo: Any, name: str, said: str) -> None:
    with pytest.raises(CorpusError, match=f"SEGUE_SOUND_VECTORS names '{name}', and .*{said}"):
        find_columns(mongo, (name,))
