from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from segue.recommender.components.transitions import SHRINKAGE, STEPS, Transitions, relate
from segue.recommender.timeline import DAY_S, SESSION_GAP_S, Timeline, ranks_at, session_ranks


def timeline(*plays: tuple[int, int, float], n_tracks: int = 6) -> Timeline:
    """Make a timeline of plays, each a listener, a track and seconds."""
    listener, track, at_s = (np.array(column) for column in zip(*plays, strict=True))
    return Timeline.of(listener, track, at_s.astype(np.float64), n_tracks)


def counted(*plays: tuple[int, int, float], half_life_days: float | None = None) -> np.ndarray:
    """Undo the division by the sums: return the strengths, shape (n_tracks, n_tracks)."""
    found = relate(timeline(*plays), half_life_days).relations.toarray()
    strengths = expected_strengths(plays, half_life_days)
    sums = np.sqrt(np.outer(strengths.sum(axis=1) + SHRINKAGE, strengths.sum(axis=0) + SHRINKAGE))
    return found * sums


def expected_strengths(plays: tuple[tuple[int, int, float], ...], half_life_days: float | None) -> np.ndarray:
    """Sum over all pairs of plays, as the module's docstring says."""
    strengths = np.zeros((6, 6))
    newest = max(at for *_, at in plays)
    ordered = sorted(plays, key=lambda play: (play[0], play[2]))
    for first, (listener, track, begin) in enumerate(ordered):
        before = begin
        for steps, (other, following, at) in enumerate(ordered[first + 1 : first + 1 + STEPS], 1):
            if other != listener or at - before > SESSION_GAP_S:
                break
            before = at
            if at > begin and following != track:
                age = 2 ** (-(newest - at) / DAY_S / half_life_days) if half_life_days else 1.0
                strengths[track, following] += age / steps
    return strengths


@pytest.mark.parametrize("half_life_days", [None, 0.01])
@pytest.mark.parametrize("seed", range(5))
def test_relations_are_the_sum_over_all_pairs_of_plays_of_a_session(
    seed: int, half_life_days: float | None
) -> None:
    random = np.random.default_rng(seed)
    at = np.cumsum(random.choice([0, 60, 1_790, 1_810, 9_000], size=60))
    plays = tuple(
        zip(random.integers(3, size=60).tolist(), random.integers(6, size=60).tolist(), at.tolist(), strict=True)
    )
    np.testing.assert_allclose(
        counted(*plays, half_life_days=half_life_days), expected_strengths(plays, half_life_days), atol=1e-4
    )


def test_a_track_points_to_what_comes_after_it_and_not_before() -> None:
    found = relate(timeline((0, 1, 0), (0, 2, 100))).relations.toarray()
    assert found[1, 2] > 0
    assert found[2, 1] == 0


def test_plays_of_the_same_time_have_no_order() -> None:
    assert relate(timeline((0, 1, 7), (0, 2, 7), (1, 3, 7))).relations.nnz == 0


@pytest.mark.parametrize("half_life_days", [None, 1e-9, 1e9])
def test_one_play_relates_nothing(half_life_days: float | None) -> None:
    assert relate(timeline((0, 1, 5)), half_life_days).relations.nnz == 0


def test_only_the_strongest_relations_are_kept() -> None:
    plays = [(listener, listener % 5, 0.0) for listener in range(15)]
    plays += [(listener, 5, 60.0) for listener in range(15)] + [(15, 4, 0.0), (15, 5, 60.0)]
    kept = relate(timeline(*plays), kept=1).relations.toarray()
    assert np.flatnonzero(kept[:, 5]).tolist() == [4]


def test_the_session_is_ranked_from_its_last_track_and_older_plays_do_not_count() -> None:
    last_played = np.array([1_000, 10_000, 9_000, 9_000, 8_000])
    np.testing.assert_array_equal(ranks_at(last_played, 10_060), [0, 1, 2, 2, 4])
    np.testing.assert_array_equal(ranks_at(last_played, 10_000 + SESSION_GAP_S + 1), 0)
    np.testing.assert_array_equal(session_ranks(np.array([1, 0, 1]), np.array([5.0, 9.0, 6.0])), [2, 1, 1])
    assert ranks_at(np.empty(0, dtype=np.int64), 0.0).shape == (0,)


def test_a_clock_that_is_ahead_ends_no_session() -> None:
    np.testing.assert_array_equal(ranks_at(np.array([500, 200]), 100.0), [1, 2])


def test_who_is_in_no_session_has_the_score_zero_for_every_track() -> None:
    transitions = Transitions(relate(timeline((0, 1, 0), (0, 2, 100))), memory=1.0)
    play_counts = sparse.csr_matrix(np.ones((2, 6), dtype=np.float32))
    assert not transitions.score(play_counts).any()
    nobody = sparse.csr_matrix(np.zeros((2, 6), dtype=np.float32))
    assert not transitions.score(play_counts, nobody).any()


def test_contributions_of_the_session_add_up_to_the_score() -> None:
    random = np.random.default_rng(0)
    plays = zip(
        random.integers(9, size=200).tolist(), random.integers(6, size=200).tolist(), range(200), strict=True
    )
    transitions = Transitions(relate(timeline(*((who, what, 60.0 * at) for who, what, at in plays))), memory=2.0)
    ranks = np.array([2, 0, 1], dtype=np.float32)
    session = sparse.csr_matrix((ranks, ([0, 0, 0], [4, 3, 1])), shape=(1, 6))
    scores = transitions.score(sparse.csr_matrix((1, 6), dtype=np.float32), session)
    added = transitions.contributions(np.array([4, 3, 1]), ranks, np.arange(6))
    np.testing.assert_allclose(added.sum(axis=0), scores[0], atol=1e-6)
    assert not added[1].any()
    relations = transitions.relations.relations.toarray()
    np.testing.assert_allclose(scores[0], relations[1] + relations[4] / np.sqrt(2), atol=1e-6)
