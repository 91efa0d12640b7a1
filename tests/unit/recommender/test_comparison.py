"""Comparisons of several seeds, averaged."""

from __future__ import annotations

from segue.recommender.comparison import Comparison, Row, average
from segue.recommender.components.als import Hyperparameters
from segue.recommender.recipe import Recipe
from segue.recommender.reports import SEGUE


def outcome(**ndcg: float) -> Comparison:
    """A comparison in which the models reach so much, and Segue 0.5."""
    reached = {**ndcg, SEGUE: 0.5}
    rows = [Row("new tracks", name, 10, {"ndcg@10": value}, value, value) for name, value in reached.items()]
    gains = {name: (0.5 - value, 0.4 - value, 0.6 - value) for name, value in ndcg.items()}
    recipe = Recipe(Hyperparameters(), 100.0, 0.5, 1.0, {}, 0.5, 1.0)
    return Comparison("seed", rows, max(ndcg, key=lambda name: ndcg[name]), gains, {"f1": 0.1}, recipe)


def test_the_best_baseline_of_several_seeds_is_the_best_on_average() -> None:
    averaged = average([outcome(EASE=0.3, ALS=0.2), outcome(EASE=0.1, ALS=0.4), outcome(EASE=0.1, ALS=0.4)])
    assert averaged.rival == "ALS"
    assert abs(averaged.gains["ALS"][0] - (0.5 - 1.0 / 3)) < 1e-9
