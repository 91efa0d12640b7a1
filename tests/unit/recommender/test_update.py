from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from scipy import sparse

from segue.recommender.components import als
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.factors import Factors
from segue.recommender.components.transitions import Transitions
from segue.recommender.model import Catalogue, Recommender
from segue.recommender.recipe import Audio
from segue.recommender.timeline import Timeline
from segue.recommender.update import fold_in_plays, reindex

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def plain(model: Recommender) -> Recommender:
    """The recommender without the share of audio in the factors of tracks that somebody has played."""
    return replace(model, recipe=replace(model.recipe, sound_prior=0.0))


@pytest.fixture
def audio(model: Recommender) -> Audio:
    return Audio(factors_of(model).item_factors, model.catalogue.artists)


def factors_of(model: Recommender) -> Factors:
    return cast(Factors, model.blend.components["factors"])


def with_plays(plays: sparse.csr_matrix, listener: int, tracks: list[int]) -> sparse.csr_matrix:
    more = plays.tolil()
    for track in tracks:
        more[listener, track] += 3
    return sparse.csr_matrix(more.tocsr())


def test_a_touched_track_solves_the_normal_equations_of_mllib(
    plain: Recommender, audio: Audio, plays: sparse.csr_matrix
) -> None:
    later = with_plays(plays, 7, [3, 11])
    alpha, regularization = factors_of(plain).alpha, factors_of(plain).regularization

    def solution(fixed: np.ndarray, strength: np.ndarray) -> np.ndarray:
        played = strength > 0
        confidence = 1 + alpha * strength
        normal = fixed.T @ np.diag(confidence) @ fixed + regularization * played.sum() * np.eye(fixed.shape[1])
        return np.linalg.solve(normal, fixed.T @ (confidence * played))

    strengths = np.log1p(later.toarray().astype(np.float64))
    tracks = factors_of(plain).item_factors.astype(np.float64)
    listeners = np.array([solution(tracks, row) for row in strengths])
    updated = factors_of(fold_in_plays(plain, plays, later, audio)).item_factors
    for track in (3, 11):
        np.testing.assert_allclose(updated[track], solution(listeners, strengths[:, track]), atol=1e-5)


def test_half_step_is_the_next_one_of_mllib(spark: SparkSession, plays: sparse.csr_matrix) -> None:
    def fitted(iterations: int) -> Factors:
        return als.fit(spark, plays, Hyperparameters(rank=4, alpha=5.0, iterations=iterations), seed=1)

    before, after = fitted(3), fitted(4)
    people = replace(before, item_factors=before.fold_in_all(plays))
    np.testing.assert_allclose(people.fold_in_all(plays.T.tocsr()), after.item_factors, atol=1e-4)


def test_plays_of_one_listener_leave_tracks_that_they_did_not_play_as_they_were(
    model: Recommender, audio: Audio, plays: sparse.csr_matrix
) -> None:
    before = factors_of(model).item_factors
    after = factors_of(fold_in_plays(model, plays, with_plays(plays, 7, [3, 11]), audio)).item_factors
    changed = np.flatnonzero((before != after).any(axis=1))
    assert changed.tolist() == [3, 11]


def test_a_track_new_to_the_catalogue_starts_where_its_audio_says(
    model: Recommender, audio: Audio, plays: sparse.csr_matrix
) -> None:
    known = model.catalogue
    grown = Catalogue([*known.track_ids, "t60"], [*known.titles, "Title 60"], [*known.artists, "somebody"])
    sounds = np.vstack([audio.sounds, np.eye(4, dtype=np.float32)[[0]]])
    nobody = sparse.csr_matrix((plays.shape[0], 1), dtype=np.float32)
    play_counts = sparse.csr_matrix(sparse.hstack([plays, nobody]))
    updated = fold_in_plays(reindex(model, grown), play_counts, play_counts, Audio(sounds, grown.artists))
    items = factors_of(updated).item_factors
    np.testing.assert_array_equal(items[:60], factors_of(model).item_factors)
    likeness = items[:60] @ items[60] / np.linalg.norm(items[:60], axis=1)
    assert set(np.argsort(-likeness)[:15] % 4) == {0}


def test_a_track_that_one_taste_takes_up_is_recommended_to_that_taste(
    plain: Recommender, audio: Audio, plays: sparse.csr_matrix
) -> None:
    track = 2
    never = plays.tolil()
    never[:, track] = 0
    before = never.tocsr()
    taste = before.toarray().reshape(len(never.data), -1, 4).sum(axis=1).argmax(axis=1)
    fans, others = np.flatnonzero(taste == 1), np.flatnonzero(taste != 1)
    later = before
    for fan in fans[: len(fans) // 2]:
        later = with_plays(later, fan, [track])
    scores = factors_of(fold_in_plays(plain, before, later, audio)).score(later)[:, track]
    assert scores[fans[len(fans) // 2 :]].mean() > 3 * scores[others].mean()


def test_carried_over_to_another_order_the_scores_are_the_same(
    model: Recommender, plays: sparse.csr_matrix
) -> None:
    order = np.random.default_rng(0).permutation(len(model.catalogue))
    known = model.catalogue
    columns = ([names[i] for i in order] for names in (known.track_ids, known.titles, known.artists))
    moved = reindex(model, Catalogue(*columns))
    np.testing.assert_allclose(
        moved.blend.score(plays[:, order]), model.blend.score(plays)[:, order], rtol=1e-4, atol=1e-5
    )


def test_transitions_are_counted_anew_and_carried_over(
    model: Recommender, audio: Audio, plays: sparse.csr_matrix
) -> None:
    def relations(of: Recommender) -> np.ndarray:
        return cast(Transitions, of.blend.components["transitions"]).relations.relations.toarray()

    known = model.catalogue
    one_session = Timeline.of(np.zeros(2, dtype=int), np.array([5, 9]), np.array([0.0, 60.0]), len(known))
    updated = relations(fold_in_plays(model, plays, plays, audio, one_session))
    assert np.argwhere(updated).tolist() == [[5, 9]]
    np.testing.assert_array_equal(relations(fold_in_plays(model, plays, plays, audio)), relations(model))
    backwards = Catalogue(known.track_ids[::-1], known.titles[::-1], known.artists[::-1])
    np.testing.assert_array_equal(relations(reindex(model, backwards)), relations(model)[::-1, ::-1])


def test_a_track_that_left_the_catalogue_is_left_out(model: Recommender, plays: sparse.csr_matrix) -> None:
    known = model.catalogue
    smaller = Catalogue(known.track_ids[1:], known.titles[1:], known.artists[1:])
    moved = reindex(model, smaller)
    np.testing.assert_array_equal(factors_of(moved).item_factors, factors_of(model).item_factors[1:])
    assert moved.blend.score(plays[:, 1:]).shape == (plays.shape[0], len(smaller))
