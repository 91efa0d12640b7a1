from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import cosine, ease
from segue.recommender.components.popularity import Popularity
from segue.recommender.components.sound import alike
from segue.recommender.components.transitions import Transitions, relate
from segue.recommender.model import Catalogue, Recommender
from segue.recommender.recipe import Recipe
from segue.recommender.timeline import Timeline

LISTENERS, TRACKS, TASTES = 120, 60, 4


@pytest.fixture(scope="session")
def plays() -> sparse.csr_matrix:
    """Listeners with one taste each, who mostly play its tracks."""
    random = np.random.default_rng(0)
    taste = random.integers(TASTES, size=LISTENERS)
    of_track = np.arange(TRACKS) % TASTES
    rate = np.where(taste[:, None] == of_track[None, :], 0.7, 0.05)
    return sparse.csr_matrix(random.poisson(rate).astype(np.float32))


def in_order(plays: sparse.csr_matrix) -> Timeline:
    """Let each listener play their tracks in one session, in a random order."""
    listener, track = plays.nonzero()
    at_s = 60.0 * np.random.default_rng(2).permutation(plays.shape[1])[track]
    return Timeline.of(listener, track, at_s, plays.shape[1])


@pytest.fixture(scope="session")
def model(plays: sparse.csr_matrix) -> Recommender:
    """A recommender with every kind of component."""
    random = np.random.default_rng(1)
    sounds = np.eye(TASTES, dtype=np.float32)[np.arange(TRACKS) % TASTES] + random.normal(0, 0.1, (TRACKS, TASTES))
    sounds = (sounds / np.linalg.norm(sounds, axis=1, keepdims=True)).astype(np.float32)
    components = {
        "factors": Factors(sounds, alpha=5.0, regularization=0.01),
        "ease": ease(plays, regularization=10.0).truncated(20),
        "cosine": cosine(plays),
        "popularity": Popularity.fit(plays),
        "sound": alike(sounds, kept=10),
        "transitions": Transitions(relate(in_order(plays)), memory=4.0),
    }
    catalogue = Catalogue(
        [f"t{i}" for i in range(TRACKS)],
        [f"Title {i}" for i in range(TRACKS)],
        [f"Artist {i // 3}" for i in range(TRACKS)],
    )
    recipe = Recipe(Hyperparameters(rank=TASTES), 10.0, 0.5, 1.0, dict.fromkeys(components, 0.2), 0.5, 1.0)
    recipe = replace(recipe, transitions_memory=4.0)
    return Recommender(catalogue, Blend(components, recipe.weights), recipe)
