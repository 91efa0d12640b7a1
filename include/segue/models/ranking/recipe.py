"""What the validation window decides, and building the product's components from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.models.ranking import blend, classification, neighbours
from segue.models.ranking.blend import Blend
from segue.models.ranking.factors import Factors
from segue.models.ranking.metrics import Scorer, Task, judge
from segue.models.ranking.mllib import Hyperparameters
from segue.models.ranking.neighbours import Neighbours
from segue.models.ranking.popularity import Habit, Popularity
from segue.models.ranking.sound import ContentMap, alike, embed
from segue.models.ranking.windows import Window

Fit = Callable[[sparse.csr_matrix, Hyperparameters], Factors]
"""Fits ALS to plays; in the product it is :func:`segue.models.ranking.mllib.fit`."""

Say = Callable[[str], None]

RANKS, REGULARIZATIONS, ALPHAS = (16, 32, 64, 128), (0.001, 0.003, 0.01, 0.03, 0.1), (1.0, 3.0, 10.0, 30.0)
TRIALS = 8
SHORT, LONG = 5, 15  # iterations of a first look and of a serious one
FINALISTS = 2
EASE_REGULARIZATIONS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
COSINE_BALANCES = (0.5, 0.35, 0.2)
COSINE_KEPT = 1_000
SOUND_PRIORS = (0.0, 1.0, 4.0, 16.0)


@dataclass(frozen=True)
class Audio:
    """What is known of the tracks besides plays.

    Parameters
    ----------
    sounds : ndarray of float32, shape (n_tracks, n_dimensions)
    artists : sequence of str, length n_tracks
    relations : Neighbours
        Tracks that sound alike.
    """

    sounds: NDArray[np.float32]
    artists: Sequence[str]
    relations: Neighbours

    @classmethod
    def of(cls, features: NDArray[np.float32], artists: Sequence[str]) -> Audio:
        """Derive from audio features, shape (n_tracks, n_features)."""
        sounds = embed(features)
        return cls(sounds, artists, alike(sounds))


@dataclass(frozen=True)
class Recipe:
    """Everything that was chosen on the validation window, by NDCG@10.

    Parameters
    ----------
    als : Hyperparameters
    ease_regularization, cosine_balance : float
    sound_prior : float
        See :meth:`.ContentMap.complete`; not used without audio.
    weights : dict of str to float
        Of the blend.
    habit : float
        Share of the listener's own counts when what they know is ranked.
    threshold : float
        Score from which "will listen" is said.
    """

    als: Hyperparameters
    ease_regularization: float
    cosine_balance: float
    sound_prior: float
    weights: dict[str, float]
    habit: float
    threshold: float

    def summary(self) -> dict[str, Any]:
        """Give the choices as plain values."""
        return asdict(self)

    @classmethod
    def of(cls, summary: dict[str, Any]) -> Recipe:
        """Read what :meth:`summary` gave."""
        return cls(**summary | {"als": Hyperparameters(**summary["als"])})

    def build(self, fit: Fit, history: sparse.csr_matrix, audio: Audio | None) -> Blend:
        """Make the product's ranking from plays."""
        factors = fit(history, self.als)
        ingredients = _Ingredients(history, audio)
        return Blend(ingredients.components(factors, self), self.weights)


def choose(fit: Fit, window: Window, audio: Audio | None, *, trials: int = TRIALS, say: Say = print) -> Recipe:
    """Try what there is to choose, and keep what ranks new tracks best on the validation window.

    Parameters
    ----------
    fit : callable
    window : Window
        Validation.
    audio : Audio or None
    trials : int
        Choices of ALS' parameters that are tried.
    say : callable
        Gets a line for each step.
    """
    rows = blend.learning_rows(window)
    ingredients = _Ingredients(window.history, audio)

    def ndcg(scorer: Scorer) -> float:
        return judge(scorer, window, listeners=rows).means()["ndcg@10"]

    als, factors = _tune_als(fit, window, ndcg, trials, say)
    ease = max(EASE_REGULARIZATIONS, key=lambda value: ndcg(neighbours.ease(window.history, regularization=value)))
    say(f"EASE: λ = {ease:g}")
    balance = max(COSINE_BALANCES, key=lambda value: ndcg(ingredients.cosine(value)))
    say(f"item cosine: balance = {balance:g}")
    recipe = Recipe(als, ease, balance, 0.0, {}, 0.0, float("inf"))
    if audio is not None:
        prior = max(SOUND_PRIORS, key=lambda value: ndcg(ingredients.completed(factors, value)))
        recipe = replace(recipe, sound_prior=prior)
        say(f"audio: worth {prior:g} listeners of a track")
    components = ingredients.components(factors, recipe)
    weights = blend.learn(components, window)
    say("blend: " + ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items()))
    product = Blend(components, weights)
    habit = blend.learn({"blend": product, "habit": Habit()}, window, Task.REPEAT)["habit"]
    return replace(
        recipe,
        weights=weights,
        habit=habit,
        threshold=classification.best_threshold(product, window, rows),
    )


@dataclass(frozen=True)
class _Ingredients:
    history: sparse.csr_matrix
    audio: Audio | None

    def cosine(self, balance: float) -> Neighbours:
        return neighbours.cosine(self.history, balance=balance, kept=COSINE_KEPT)

    def completed(self, factors: Factors, prior: float) -> Factors:
        if self.audio is None:
            return factors
        listeners = np.diff(self.history.tocsc().indptr)
        content = ContentMap.fit(factors, self.audio.sounds, self.audio.artists, listeners)
        return content.complete(factors, listeners, prior)

    def components(self, factors: Factors, recipe: Recipe) -> dict[str, Scorer]:
        """Exactly what the product ships: relations cut to the strongest."""
        ease = neighbours.ease(self.history, regularization=recipe.ease_regularization)
        made: dict[str, Scorer] = {
            "factors": self.completed(factors, recipe.sound_prior),
            "ease": ease.truncated(),
            "cosine": self.cosine(recipe.cosine_balance).truncated(),
            "popularity": Popularity.of(self.history),
        }
        return made if self.audio is None else made | {"sound": self.audio.relations}


def _tune_als(
    fit: Fit, window: Window, ndcg: Callable[[Scorer], float], trials: int, say: Say
) -> tuple[Hyperparameters, Factors]:
    """Search rank, λ, α and iterations together: many after a few iterations, the best after more."""
    random = np.random.default_rng(0)
    ranks = [rank for rank in RANKS if rank <= min(window.history.shape)] or [min(window.history.shape)]
    grid = [
        Hyperparameters(rank, regularization, alpha, SHORT)
        for rank in ranks
        for regularization in REGULARIZATIONS
        for alpha in ALPHAS
    ]
    tried = [grid[i] for i in random.choice(len(grid), min(trials, len(grid)), replace=False)]

    def look(parameters: Hyperparameters) -> tuple[float, Hyperparameters, Factors]:
        factors = fit(window.history, parameters)
        reached = ndcg(factors)
        say(f"ALS {parameters}: NDCG@10 {reached:.4f}")
        return reached, parameters, factors

    first = sorted((look(parameters) for parameters in tried), key=lambda seen: -seen[0])[:FINALISTS]
    longer = [look(replace(parameters, iterations=LONG)) for _, parameters, _ in first]
    _, parameters, factors = max(first + longer, key=lambda seen: seen[0])
    return parameters, factors
