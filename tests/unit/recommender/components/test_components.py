from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from segue.recommender.components import blend, neighbours
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours, cosine, ease
from segue.recommender.components.popularity import Popularity, WithFallback
from segue.recommender.components.sound import ContentMap, alike, embed
from segue.recommender.evaluation.metrics import evaluate_ranking
from segue.recommender.evaluation.windows import Window, at_random
from segue.recommender.timeline import LastPlays
from segue.tracks import sound_space


def test_ease_is_its_closed_form(plays: sparse.csr_matrix) -> None:
    x = plays.log1p().toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + 20 * np.eye(x.shape[1]))
    expected = np.eye(x.shape[1]) - inverse / np.diag(inverse)
    np.testing.assert_allclose(ease(plays, regularization=20.0).relations, expected, atol=1e-6)


def test_ease_of_a_larger_catalogue_takes_the_tracks_with_most_listeners(
    plays: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "EASE_TRACKS", 20)
    listeners = np.diff(plays.tocsc().indptr)
    relations = ease(plays, regularization=20.0).relations
    took_part = np.flatnonzero(np.diff(relations.tocsc().indptr))
    assert len(took_part) == 20
    assert listeners[took_part].min() >= np.sort(listeners)[-20]


def test_cosine_is_the_cosine_of_columns(plays: sparse.csr_matrix) -> None:
    x = plays.log1p().toarray()
    unit = x / np.linalg.norm(x, axis=0)
    expected = unit.T @ unit
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(cosine(plays).relations.toarray(), expected, atol=1e-6)


def test_truncating_keeps_the_strongest_relations_of_each_track(plays: sparse.csr_matrix) -> None:
    dense = ease(plays, regularization=20.0)
    kept = dense.truncated(5).relations.toarray()
    for column in range(kept.shape[1]):
        strongest = np.argsort(-np.abs(dense.relations[:, column]))[:5]
        assert set(np.flatnonzero(kept[:, column])) == set(strongest)


def test_of_equally_strong_relations_those_of_the_first_tracks_are_kept() -> None:
    equal = np.ones((6, 6), dtype=np.float32) - np.eye(6, dtype=np.float32)
    expected = [{1, 2}, {0, 2}, {0, 1}, {0, 1}, {0, 1}, {0, 1}]
    for relations in (equal, sparse.csr_matrix(equal)):
        kept = Neighbours(relations).truncated(2).relations.toarray()
        assert [set(np.flatnonzero(column)) for column in kept.T] == expected


def test_computed_in_small_blocks_relations_are_the_same(
    plays: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [ease(plays, regularization=20.0).relations, cosine(plays, balance=0.2, kept=7).relations.toarray()]
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    parted = [ease(plays, regularization=20.0).relations, cosine(plays, balance=0.2, kept=7).relations.toarray()]
    for one, other in zip(whole, parted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_contributions_are_the_same_of_few_tracks_at_a_time(
    plays: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    relations, tracks = cosine(plays, kept=9), np.arange(50)
    added = relations.contributions(tracks, np.ones(50, np.float32), np.array([3, 59]))
    monkeypatch.setattr(neighbours, "PLAYED", 8)
    np.testing.assert_array_equal(
        relations.contributions(tracks, np.ones(50, np.float32), np.array([3, 59])), added
    )


def test_learned_blend_leaves_out_what_does_harm(plays: sparse.csr_matrix) -> None:
    window = at_random(plays, seed=0).validation
    components = {
        "cosine": cosine(window.train),
        "harm": Neighbours(-cosine(window.train).relations),
        "ease": ease(window.train, regularization=10.0),
    }
    weights = blend.fit_weights(components, window)
    equal = dict.fromkeys(components, 1 / 3)
    reached, before = (
        evaluate_ranking(Blend(components, each), window).means()["ndcg@10"] for each in (weights, equal)
    )
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["harm"] < 0.1
    assert reached > before


def test_without_evidence_the_weights_stay_equal(plays: sparse.csr_matrix) -> None:
    window = at_random(plays, seed=0).validation
    nothing = Window(window.train, window.train)
    components = {"cosine": cosine(window.train), "popularity": Popularity.fit(window.train)}
    assert blend.fit_weights(components, nothing) == {"cosine": 0.5, "popularity": 0.5}


def test_tracks_of_one_sound_are_alike() -> None:
    random = np.random.default_rng(0)
    of = np.arange(40) % 4
    features = random.normal(size=(4, 30))[of] + random.normal(scale=0.2, size=(40, 30))
    features[3, 5] = np.nan
    relations = alike(embed(features.astype(np.float32)), kept=5).relations
    near = relations.tocoo()
    assert (of[near.row] == of[near.col]).all()
    assert not relations.diagonal().any()


def test_the_space_of_sound_is_that_of_principal_components(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_space, "BLOCK", 16)
    random = np.random.default_rng(0)
    features = (random.normal(size=(100, 20)) @ random.normal(size=(20, 90)) + 300).astype(np.float32)
    scaled = (features - features.mean(axis=0, dtype=np.float64)) / features.std(axis=0, dtype=np.float64)
    expected = PCA(sound_space.DIMENSIONS, svd_solver="covariance_eigh").fit_transform(scaled.clip(-4, 4))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    placed = embed(features)
    np.testing.assert_allclose(placed @ placed.T, expected @ expected.T, atol=1e-4)


def test_tracks_that_all_sound_the_same_are_at_no_place() -> None:
    placed = embed(np.full((9, 30), 0.1, dtype=np.float32))
    np.testing.assert_array_equal(placed, 0)
    assert alike(placed, kept=3).relations.nnz == 0


def test_a_catalogue_of_one_track_is_like_nothing() -> None:
    assert alike(embed(np.ones((1, 30), dtype=np.float32))).relations.shape == (1, 1)


def test_content_map_places_an_unplayed_track_near_its_like() -> None:
    random = np.random.default_rng(0)
    sounds = random.normal(size=(200, 6)).astype(np.float32)
    truth = sounds @ random.normal(size=(6, 3))
    items = truth.astype(np.float32)
    listeners = np.full(200, 10)
    listeners[:20], items[:20] = 0, 0
    artists = [f"artist {i // 4}" for i in range(200)]
    factors = Factors(items, 1.0, 0.1)
    content = ContentMap.fit(factors, sounds, artists, listeners)
    completed = content.complete(factors, listeners, prior=0.0)
    np.testing.assert_array_equal(completed.item_factors[20:], items[20:])
    assert np.corrcoef(completed.item_factors[:20].ravel(), truth[:20].ravel())[0, 1] > 0.95
    assert content.explained > 0.9


def test_content_map_knows_what_sets_an_artist_apart() -> None:
    random = np.random.default_rng(0)
    sounds = random.normal(size=(80, 4)).astype(np.float32)
    artists = [f"artist {i % 8}" for i in range(80)]
    apart = random.normal(size=(8, 2)) * 5
    factors = Factors(apart[np.arange(80) % 8].astype(np.float32), 1.0, 0.1)
    listeners = np.full(80, 10)
    listeners[:8] = 0
    predicted = ContentMap.fit(factors, sounds, artists, listeners).predicted[:8]
    assert np.corrcoef(predicted.ravel(), apart.ravel())[0, 1] > 0.9


def test_content_map_without_enough_tracks_predicts_the_mean() -> None:
    factors = Factors(np.ones((3, 2), dtype=np.float32), 1.0, 0.1)
    content = ContentMap.fit(factors, np.eye(3, dtype=np.float32), ["a", "a", "a"], np.array([9, 9, 0]))
    np.testing.assert_array_equal(content.predicted, 1)


def test_recent_listeners_count_more_by_the_half_life(plays: sparse.csr_matrix) -> None:
    last = LastPlays(np.array([0, 0, 2]), np.array([0.0, 10.0, 20.0]))
    values = Popularity.fit(plays, last, half_life_days=10.0).values
    np.testing.assert_allclose(np.expm1(values[:4]), [1.5, 0, 0.25, 0], rtol=1e-6)
    ever = np.log1p(np.diff(plays.tocsc().indptr))
    np.testing.assert_allclose(Popularity.fit(plays, last).values, ever, rtol=1e-6)


def test_who_has_played_nothing_gets_what_is_popular(plays: sparse.csr_matrix) -> None:
    some = sparse.vstack([plays[:1], sparse.csr_matrix((1, plays.shape[1]), dtype=np.float32)]).tocsr()
    scorer, popular = cosine(plays), Popularity.fit(plays)
    scores = WithFallback(scorer, popular).score(some)
    np.testing.assert_array_equal(scores[0], scorer.score(some)[0])
    np.testing.assert_array_equal(scores[1], popular.values)


def test_listeners_without_a_history_choose_nothing_if_there_are_others(plays: sparse.csr_matrix) -> None:
    window = at_random(plays, seed=0).validation
    everybody = blend.sample_listeners(window)
    train = window.train.tolil()
    train[everybody[:3]] = 0
    without = Window(train.tocsr(), window.held_out)
    assert blend.sample_listeners(without).tolist() == everybody[3:].tolist()
    nobody = Window(sparse.csr_matrix(window.train.shape, dtype=np.float32), window.held_out)
    assert len(blend.sample_listeners(nobody)) >= len(everybody)
