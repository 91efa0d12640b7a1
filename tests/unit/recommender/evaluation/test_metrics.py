from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import sparse

from segue.recommender.evaluation import metrics
from segue.recommender.evaluation.metrics import Task, best, evaluate_ranking, interval
from segue.recommender.evaluation.windows import Window


class Fixed:
    """Scores tracks by a given row."""

    def __init__(self, row: list[float]) -> None:
        self.row = np.array(row, dtype=np.float32)

    def score(self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None) -> np.ndarray:
        del session
        return np.repeat(self.row[None, :], play_counts.shape[0], axis=0)


def window(play_counts: list[list[int]], held_out: list[list[int]]) -> Window:
    return Window(
        sparse.csr_matrix(np.array(play_counts, np.float32)), sparse.csr_matrix(np.array(held_out, np.float32))
    )


def test_new_tracks_are_ranked_without_what_was_played() -> None:
    # Ranking of candidates: 1, 2, 3, 4; relevant: 2 and 4. Track 0 is played before and counts for nothing.
    evaluated = evaluate_ranking(Fixed([9, 5, 4, 3, 2]), window([[1, 0, 0, 0, 0]], [[3, 0, 1, 0, 1]]))
    values = {name: v[0] for name, v in evaluated.values.items()}
    gains = 1 / np.log2([3, 5])
    assert values["ndcg@10"] == pytest.approx(gains.sum() / (1 + 1 / np.log2(3)))
    assert values["recall@20"] == 1
    assert values["precision@10"] == pytest.approx(0.2)
    assert values["map@100"] == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_repeats_are_ranked_among_what_was_played() -> None:
    evaluated = evaluate_ranking(Fixed([1, 2, 9]), window([[1, 1, 0]], [[1, 0, 1]]), Task.REPEAT)
    assert evaluated.values["ndcg@10"][0] == pytest.approx(1 / np.log2(3))


def test_cold_tracks_are_those_that_few_have_played() -> None:
    play_counts = [[1, 0, 0]] * metrics.FEW + [[0, 0, 0]]
    held_out = [[0, 0, 0]] * metrics.FEW + [[1, 1, 0]]
    evaluated = evaluate_ranking(Fixed([9, 1, 2]), window(play_counts, held_out), Task.COLD)
    assert evaluated.listeners.tolist() == [metrics.FEW]
    assert evaluated.values["ndcg@10"][0] == pytest.approx(1 / np.log2(3))


def test_listeners_who_play_nothing_relevant_do_not_count() -> None:
    evaluated = evaluate_ranking(Fixed([1, 2]), window([[1, 0], [1, 0]], [[1, 0], [0, 1]]))
    assert evaluated.listeners.tolist() == [1]
    assert evaluated.means()["ndcg@10"] == 1


def test_several_tasks_evaluated_together_have_what_each_has_alone(
    plays: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "BATCH_SCORES", 7 * plays.shape[1])
    monkeypatch.setattr(metrics, "FEW", 40)
    random = np.random.default_rng(0)
    held_out = sparse.csr_matrix(random.poisson(0.1, size=plays.shape).astype(np.float32))
    scorer, divided = Fixed(random.permutation(plays.shape[1]).tolist()), Window(plays, held_out)
    together = metrics.evaluate_rankings(scorer, divided, list(Task))
    for task in Task:
        alone = evaluate_ranking(scorer, divided, task)
        assert len(alone.listeners)
        np.testing.assert_array_equal(together[task].listeners, alone.listeners)
        assert together[task].means() == alone.means()


def test_nothing_to_judge_gives_zeros() -> None:
    evaluated = evaluate_ranking(Fixed([1, 2]), window([[1, 0]], [[0, 0]]))
    assert evaluated.means()["ndcg@10"] == 0
    assert interval(evaluated.values["ndcg@10"]) == (0.0, 0.0)


def test_popularity_lift_compares_the_list_with_the_listener() -> None:
    # Tracks 0, 1, 2 have 1, 2, 3 listeners. The first listener plays track 1 and is shown 2 and 0.
    play_counts = [[0, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 1]]
    evaluated = evaluate_ranking(
        Fixed([1, 2, 3]), window(play_counts, [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    )
    assert evaluated.values["popularity_lift@10"][0] == pytest.approx(2 / 2 - 1)


@pytest.mark.parametrize("width", [7, 100, 20_000])
def test_best_is_the_beginning_of_the_full_order(width: int) -> None:
    scores = np.random.default_rng(0).normal(size=(5, width)).astype(np.float32)
    scores[:, ::3] = -np.inf
    full = np.argsort(-scores, axis=1, kind="stable")[:, :25]
    finite = np.isfinite(np.take_along_axis(scores, full, axis=1))
    np.testing.assert_array_equal(best(scores, 25), np.where(finite, full, -1))


@pytest.mark.parametrize("highest", ["anywhere", "not in the sample", "few", "none"])
def test_the_best_of_a_large_catalogue_are_found_wherever_they_lie(highest: str) -> None:
    scores = np.random.default_rng(0).permutation(10_000).astype(np.float32)
    if highest == "not in the sample":
        scores[:: metrics._SAMPLED] -= 10_000
    elif highest == "few":
        scores[scores < 9_960] = -np.inf
    elif highest == "none":
        scores[:] = -np.inf
    order = np.argsort(-scores, kind="stable")[:100]
    np.testing.assert_array_equal(best(scores[None], 100)[0], np.where(np.isfinite(scores[order]), order, -1))
    # All above the sample's threshold are too few: then all are looked at.
    scores[:: metrics._SAMPLED] = 1e6
    assert (best(scores[None], 700)[0][:625] % metrics._SAMPLED == 0).all()


def test_equal_scores_count_as_on_average_over_all_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "DEPTH", 3)
    held_out = [0, 1, 0, 0, 1, 0]
    tied = evaluate_ranking(Fixed([5, 2, 2, 2, 2, 1]), window([[0] * 6], [held_out])).values["ndcg@10"][0]
    orders = [[5, *(2 + 0.1 * np.array(order)), 1] for order in permutations(range(4))]
    each = [evaluate_ranking(Fixed(row), window([[0] * 6], [held_out])).values["ndcg@10"][0] for row in orders]
    assert tied == pytest.approx(np.mean(each))
    gains = 1 / np.log2([2, 3, 4])
    assert tied == pytest.approx((gains[1] + gains[2]) / 2 / (gains[0] + gains[1]))


def test_equal_scores_of_repeats_share_their_hits() -> None:
    evaluated = evaluate_ranking(Fixed([2, 2, 2, 9]), window([[1, 1, 0, 0]], [[0, 1, 0, 0]]), Task.REPEAT)
    assert evaluated.values["ndcg@10"][0] == pytest.approx((1 + 1 / np.log2(3)) / 2)


def test_a_score_that_is_not_a_number_never_takes_a_place() -> None:
    scores = np.array([[np.nan, 1, 3, np.nan, 2]], dtype=np.float32)
    assert best(scores, 4).tolist() == [[2, 4, 1, -1]]
    played = sparse.csr_matrix(np.ones((1, 5), dtype=np.float32))
    assert metrics.best_played(scores, played, 4).tolist() == [[2, 4, 1, -1]]


def test_interval_holds_the_mean_and_narrows_with_more_listeners() -> None:
    values = np.random.default_rng(0).random(2000)
    few, many = interval(values[:50]), interval(values)
    assert many[0] < values.mean() < many[1]
    assert many[1] - many[0] < few[1] - few[0]
