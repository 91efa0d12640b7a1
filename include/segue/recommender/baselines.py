"""The baselines of a comparison.

Each has the parameters that were chosen for Segue's own component of its kind. RP3beta is no component, so it has
a search of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from segue.recommender.components import neighbours
from segue.recommender.components.blend import sample_listeners
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.components.popularity import Popularity
from segue.recommender.components.random_walk import walk
from segue.recommender.evaluation.metrics import Scorer, evaluate_ranking
from segue.recommender.evaluation.windows import Split, Window
from segue.recommender.recipe import COSINE_KEPT, Audio, Recipe, Say

ALPHAS, BETAS = (1.0, 0.6, 1.5), (0.6, 0.3, 0.9)
"""Parameters of RP3beta that are tried: first each β with the first α, then each α with the best β."""

WALKED_PAIRS: Final = 2_000_000
"""With more pairs of listener and track, RP3beta is left out: its search would take longer than the training."""


@dataclass(frozen=True)
class Fitted:
    """The components of a recipe that are baselines too, fitted to the training plays of the test window."""

    factors: Factors
    ease: Neighbours
    graph: Neighbours
    popular: Popularity


def of(
    split: Split, recipe: Recipe, fitted: Fitted, audio: Audio | None, say: Say
) -> dict[str, Callable[[], Scorer]]:
    """Return functions that build the baselines, by name.

    A baseline is built when it is evaluated, and freed afterwards. In a large catalogue, each takes a gigabyte.

    Parameters
    ----------
    split : Split
        RP3beta is tuned on its validation window. All are fitted to the training plays of its test window.
    recipe : Recipe
    fitted : Fitted
    audio : Audio or None
    say : callable
        Receives a line for the search of RP3beta.
    """
    plays = split.test.train
    found: dict[str, Callable[[], Scorer]] = {
        "popularity": lambda: Popularity.fit(plays),
        "item cosine": lambda: neighbours.cosine(plays, balance=recipe.cosine_balance, kept=COSINE_KEPT),
        "EASE": lambda: fitted.ease,
        "GF-CF": lambda: fitted.graph,
        "ALS": lambda: fitted.factors,
    }
    if plays.nnz <= WALKED_PAIRS:
        alpha, beta = _tune_walk(split.validation, say)
        found["RP3beta"] = lambda: walk(plays, alpha=alpha, beta=beta, kept=COSINE_KEPT)
    if recipe.popularity_half_life_days is not None:
        found["recent popularity"] = lambda: fitted.popular
    if audio is not None:
        found["content only"] = lambda: audio.relations
    return found


def _tune_walk(window: Window, say: Say) -> tuple[float, float]:
    """Choose α and β of RP3beta."""
    rows = sample_listeners(window)

    @cache
    def reached(alpha: float, beta: float) -> float:
        relations = walk(window.train, alpha=alpha, beta=beta, kept=COSINE_KEPT)
        return evaluate_ranking(relations, window, listeners=rows).means()["ndcg@10"]

    beta = max(BETAS, key=lambda beta: reached(ALPHAS[0], beta))
    alpha = max(ALPHAS, key=lambda alpha: reached(alpha, beta))
    say(f"RP3beta: α = {alpha:g}, β = {beta:g}")
    return alpha, beta
