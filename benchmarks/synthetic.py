"""A made-up corpus and a champion trained on it, for benchmarks that need no music."""

from __future__ import annotations

from typing import Any

import numpy as np
from pymongo import MongoClient
from scipy import sparse

from segue.connections.registry import Registry
from segue.connections.windows import Offsets
from segue.recommender.candidate import Lineage
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.components.popularity import Popularity
from segue.recommender.model import NAME, Catalogue, Recommender
from segue.recommender.recipe import Recipe
from segue.settings import Settings

RANK = 64


def names_of(track: int) -> dict[str, str]:
    """Return artist and title of a track; each artist has seven tracks."""
    return {"artist_name": f"Artist {track // 7}", "track_name": f"Title {track}"}


def publish(settings: Settings, tracks: int) -> None:
    """Publish tracks ``t000000`` and so on, and a champion for them.

    A running API looks for new tracks at its start and from time to time.
    """
    add_tracks(settings, tracks)
    registry = Registry(settings)
    version = registry.register(
        NAME, champion(tracks).save, parameters={}, metrics={}, tags=Lineage(Offsets({})).tags(), report={}
    )
    registry.promote(version)


def add_tracks(settings: Settings, tracks: int) -> None:
    """Insert the documents of tracks ``t000000`` and so on."""
    documents = (
        {
            "_id": f"t{i:06}",
            "title": names_of(i)["track_name"],
            "artist": names_of(i)["artist_name"],
            "partition_date": "2026-01-01",
        }
        for i in range(tracks)
    )
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        client[settings.mongo_database]["tracks"].insert_many(documents)


def champion(tracks: int) -> Recommender:
    """Make up a recommender with four components: 64 factors, 100 neighbours and 50 similar sounds a track."""
    random = np.random.default_rng(0)

    def relations(kept: int) -> Neighbours:
        values = random.random(tracks * kept, dtype=np.float32)
        columns = random.integers(tracks, size=tracks * kept)
        bounds = np.arange(0, tracks * kept + 1, kept)
        return Neighbours(sparse.csr_matrix((values, columns, bounds), shape=(tracks, tracks)))

    components = {
        "factors": Factors(random.normal(scale=0.3, size=(tracks, RANK)).astype(np.float32), 10.0, 0.01),
        "cosine": relations(100),
        "popularity": Popularity(random.random(tracks, dtype=np.float32)),
        "sound": relations(50),
    }
    recipe = Recipe(Hyperparameters(), 30.0, 0.5, 1.0, dict.fromkeys(components, 0.25), 0.5, 1.0)
    catalogue = Catalogue(
        [f"t{i:06}" for i in range(tracks)],
        [names_of(i)["track_name"] for i in range(tracks)],
        [names_of(i)["artist_name"] for i in range(tracks)],
    )
    return Recommender(catalogue, Blend(components, recipe.weights), recipe)
