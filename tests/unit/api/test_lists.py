"""Lists of listeners who have played much, and of plays as a training has read them."""

from __future__ import annotations

import bson
import numpy as np

from segue.listens.history import History
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.popularity import Popularity
from segue.recommender.interactions import LOVE, Interactions
from segue.recommender.model import Catalogue, Recommender
from segue.recommender.recipe import Recipe
from segue.recommender.serving.batch import listeners_of
from segue.recommender.serving.champion import Served
from segue.recommender.serving.lists import documents, listener_of
from segue.recommender.serving.recommend import Wishes

TRACKS, PLAYS, AT = 30_000, 500_000, 1_700_000_000


def test_a_listener_of_500000_plays_gets_a_small_document() -> None:
    random = np.random.default_rng(0)
    names = [f"t{i:05}" for i in range(TRACKS)]
    components = {
        "factors": Factors(random.normal(size=(TRACKS, 8)).astype(np.float32), 10.0, 0.01),
        "popularity": Popularity(random.random(TRACKS, dtype=np.float32)),
    }
    weights = {"factors": 0.8, "popularity": 0.2}
    recipe = Recipe(Hyperparameters(rank=8), 10.0, 0.5, 0.0, weights, 0.5, 0.0)
    served = Served(
        "recommender/1", Recommender(Catalogue(names, names, names), Blend(components, weights), recipe)
    )
    play_counts = History.of((names[i % (TRACKS - 100)], AT + i) for i in range(PLAYS))
    assert len(play_counts) == PLAYS
    listener = listener_of(served, play_counts, ())
    assert listener.plays.sum() == PLAYS
    found = next(documents(served, {"much": listener}, now=AT + 10 * PLAYS, wishes=Wishes()))
    assert len(found["items"]) == 25
    assert len(bson.encode(found)) < 50_000


def test_skips_count_as_much_as_their_weight_and_by_default_nothing() -> None:
    names = ["t0", "t1", "t2"]
    popularity = {"popularity": Popularity(np.ones(3, np.float32))}
    recipe = Recipe(Hyperparameters(rank=8), 10.0, 0.5, 0.0, {"popularity": 1.0}, 0.5, 0.0)
    blend = Blend(popularity, {"popularity": 1.0})
    served = Served("recommender/1", Recommender(Catalogue(names, names, names), blend, recipe))
    history = History.of([("t0", 5), ("t1", 3)], [("t1", 9), ("t2", 7), ("gone", 1)])
    assert history.add("t2", 7, skipped=True) is False
    assert history.add("t2", 8, skipped=True) is True
    plain, weighted = (listener_of(served, history, skip_weight=weight) for weight in (0.0, 0.25))
    assert (plain.tracks.tolist(), plain.plays.tolist(), plain.last_played.tolist()) == ([0, 1], [1, 1], [5, 3])
    assert (weighted.tracks.tolist(), weighted.plays.tolist()) == ([0, 1, 2], [1, 1.25, 0.5])
    assert weighted.last_played.tolist() == [5, 9, 8]


def test_a_love_counts_as_plays_and_the_plays_of_a_hated_track_do_not() -> None:
    names = ["t0", "t1", "t2"]
    recipe = Recipe(Hyperparameters(rank=8), 10.0, 0.5, 0.0, {"popularity": 1.0}, 0.5, 0.0)
    blend = Blend({"popularity": Popularity(np.ones(3, np.float32))}, {"popularity": 1.0})
    served = Served("recommender/1", Recommender(Catalogue(names, names, names), blend, recipe))
    history = History.of([("t0", 5), ("t1", 3), ("t2", 7)])
    history.loved = frozenset({"t1", "gone"})
    found = listener_of(served, history, {"t2", "unknown"})
    assert (found.tracks.tolist(), found.plays.tolist(), found.last_played.tolist()) == (
        [0, 1],
        [1, 1 + LOVE],
        [5, 3],
    )
    assert list(found.hated) == [2]


def test_noting_a_play_twice_is_noting_it_once() -> None:
    play_counts = History.of([("t0", 5), ("t1", 3), ("t0", 5)])
    assert [play_counts.add("t0", at) for at in (5, 6, 6)] == [False, True, False]
    assert len(play_counts) == 3
    assert play_counts.times == {"t0": (5, 6), "t1": (3,)}


def test_what_a_training_has_read_is_brought_into_the_form_of_a_listener() -> None:
    names, tracks = np.array(["ann", "bob", "eve"]), np.array(["t0", "t1", "t2"])
    user, item = np.array([2, 0, 2, 2, 2]), np.array([1, 0, 1, 1, 0])
    times = np.array([50.0, 10.0, 70.0, 50.0, 20.0])  # eve played t1 once at 50, whoever says so twice
    found = listeners_of(Interactions(user, item, np.ones(5, np.float32), times, names, tracks))
    assert list(found) == ["ann", "eve"]
    eve = found["eve"]
    assert (eve.tracks.tolist(), eve.plays.tolist(), eve.last_played.tolist()) == ([0, 1], [1, 2], [20, 70])
    assert found["ann"].tracks.tolist() == [0]
    plays = np.array([0.25, 1, 0.25, 1, 1], dtype=np.float32)  # at 50, eve played and skipped
    weighted = listeners_of(Interactions(user, item, plays, times, names, tracks))["eve"]
    assert weighted.plays.tolist() == [1, 1.25]
    nobody = listeners_of(Interactions(user[:0], item[:0], np.ones(0, np.float32), times[:0], names, tracks))
    assert nobody == {}
