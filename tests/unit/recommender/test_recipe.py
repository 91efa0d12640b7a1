"""What is chosen on a window of few listeners must hold on the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse

from segue.recommender import search
from segue.recommender.components import blend
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.evaluation.metrics import Scorer, evaluate_ranking
from segue.recommender.evaluation.windows import Window, at_random
from segue.recommender.interactions import Interactions
from segue.recommender.recipe import Fit, choose
from segue.recommender.search import SIMPLEST, multiplications

TASTES = 4


@dataclass(frozen=True)
class Told:
    """A component with given scores, shape (n_listeners, n_tracks), for the whole play_counts."""

    table: np.ndarray

    def score(self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None) -> np.ndarray:
        del session
        assert play_counts.shape == self.table.shape
        return self.table.astype(np.float32)


def people(seed: int, listeners: int = 30, tracks: int = 200) -> tuple[dict[str, Scorer], Window]:
    """Draw plays, one component that knows something of the listeners' tastes, and four that know nothing."""
    random = np.random.default_rng(seed)
    taste = random.normal(size=(listeners, tracks))
    likely = np.exp(taste) / np.exp(taste).sum(axis=1, keepdims=True)
    held_out = np.array([random.multinomial(6, each) for each in likely], dtype=np.float32)
    components: dict[str, Scorer] = {"knows": Told(taste + 0.5 * random.normal(size=taste.shape))}
    components |= {f"noise {i}": Told(random.normal(size=taste.shape)) for i in range(4)}
    return components, Window(sparse.csr_matrix(taste.shape, dtype=np.float32), sparse.csr_matrix(held_out))


def test_weights_learned_from_thirty_listeners_hold_for_thirty_others() -> None:
    kept = []
    for seed in range(10):
        weights = blend.fit_weights(*people(seed))
        others, window = people(seed + 1000)
        scorers = Blend(others, weights), others["knows"]
        blended, alone = (evaluate_ranking(scorer, window).means()["ndcg@10"] for scorer in scorers)
        kept.append(blended / alone)
    assert np.mean(kept) > 0.95


def fit_by(quality: Callable[[Hyperparameters], float]) -> Fit:
    """Make a fit whose tracks are nearer to their taste the higher the parameters' quality; the rest is chance."""

    def fit(play_counts: sparse.csr_matrix, parameters: Hyperparameters) -> Factors:
        random = np.random.default_rng([hash(parameters) % 2**32, int(play_counts.indices.sum())])
        truth = np.eye(TASTES)[np.arange(play_counts.shape[1]) % TASTES]
        items = truth * quality(parameters) + random.normal(size=truth.shape)
        return Factors(items.astype(np.float32), parameters.alpha, parameters.regularization)

    return fit


def test_parameters_that_are_only_lucky_are_seldom_taken(plays: sparse.csr_matrix) -> None:
    """The luckiest of sixteen equals is any of them; what few data bear must be taken instead."""
    windows = [at_random(plays[:30], seed).validation for seed in range(8)]
    chosen = [choose(fit_by(lambda _: 0.5), window, None, trials=16, say=str).als for window in windows]
    assert sum(als.rank == SIMPLEST.rank for als in chosen) >= 6


def test_parameters_that_are_better_are_taken(plays: sparse.csr_matrix) -> None:
    window = at_random(plays[:30], seed=0).validation
    fit = fit_by(lambda parameters: 2.0 if parameters.rank == 16 else 0.2)
    assert choose(fit, window, None, trials=16, say=str).als.rank == 16


def test_parameters_whose_fit_would_take_too_long_are_left_out(
    plays: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = at_random(plays[:30], seed=0).validation
    monkeypatch.setattr(
        search, "LARGEST_FIT", multiplications(window.train, Hyperparameters(rank=8, iterations=15))
    )
    said: list[str] = []
    tried: dict[Hyperparameters, float] = {}
    choose(fit_by(lambda _: 0.5), window, None, trials=16, say=said.append, tried=tried)
    assert {parameters.rank for parameters in tried} == {8}
    assert sum("not tried" in line for line in said) == 16 - len(tried)


THIN = {
    "one listener": ([0] * 8, [0, 1, 2, 3, 0, 1, 4, 5], 1.0, None),
    "one play of each listener": ([0, 1, 2, 3], [0, 1, 2, 0], 1.0, None),
    "all at the same time": ([0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 2, 3], 1.0, 7.0),
    "counts of a million": ([0, 0, 0, 1, 1, 1], [0, 1, 2, 1, 2, 3], 1e6, None),
}
"""Listeners, tracks, plays of each row, and the time of all rows; by default, they are a minute apart."""


@pytest.mark.parametrize("which", THIN)
@pytest.mark.parametrize("held_out", [0.5, 0.0], ids=["half held out", "nothing held out"])
def test_thin_data_give_finite_scores(which: str, held_out: float) -> None:
    user, item, count, at_s = THIN[which]
    rows = len(user)
    data = Interactions(
        np.array(user),
        np.array(item),
        np.full(rows, count, dtype=np.float32),
        np.arange(rows) * 60.0 if at_s is None else np.full(rows, at_s),
        np.array([f"listener {i}" for i in range(max(user) + 1)]),
        np.array([f"track {i}" for i in range(6)]),
    )
    later = np.arange(rows) >= rows * (1 - held_out)
    window = Window(data.matrix(~later), data.matrix(later), data.timeline(~later), data.timeline(later))
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        recipe = choose(fit_by(lambda _: 0.5), window, None, trials=2, say=str)
        fitted = recipe.fit_blend(fit_by(lambda _: 0.5), data.matrix(), None, data.timeline())
        scores = fitted.score(data.matrix(), data.matrix())
    assert np.isfinite(scores).all()
    assert np.isfinite([*recipe.weights.values(), recipe.habit]).all()
    assert sum(recipe.weights.values()) == pytest.approx(1)
