"""Make the choices on the validation window, and fit the blend with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.components import blend, neighbours
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.components.popularity import Habit, Popularity
from segue.recommender.components.sound import ContentMap, alike, embed
from segue.recommender.evaluation import classification
from segue.recommender.evaluation.metrics import Scorer, Task, evaluate_ranking
from segue.recommender.evaluation.windows import Window
from segue.runs.progress import step

Fit = Callable[[sparse.csr_matrix, Hyperparameters], Factors]
"""Fits ALS to play counts, as :func:`segue.recommender.components.als.fit` does."""

Say = Callable[[str], None]

Tried = dict[Hyperparameters, float]
"""NDCG@10 of ALS alone on the validation window, by its parameters."""

Choice = TypeVar("Choice")

RANKS, REGULARIZATIONS, ALPHAS = (8, 16, 32, 64, 128), (0.003, 0.01, 0.03, 0.1, 0.3), (1.0, 3.0, 10.0, 30.0)
TRIALS = 8
ITERATIONS = (5, 15)

LARGEST_FIT = 3e11
"""A fit of ALS with more :func:`multiplications` is not tried. That many take MLlib some 250 s of CPU time."""

# The first choice of each is the safest with little data; see _prefer.
SIMPLEST = Hyperparameters(rank=8, regularization=0.3, alpha=1.0, iterations=15)
EASE_REGULARIZATIONS = (100.0, 3.0, 10.0, 30.0, 300.0, 1000.0)
COSINE_BALANCES = (0.5, 0.35, 0.2)
SOUND_PRIORS = (1.0, 0.0, 4.0, 16.0)
COSINE_KEPT = 1_000


@dataclass(frozen=True)
class Audio:
    """What is known about the tracks apart from their plays.

    Parameters
    ----------
    sounds : ndarray of float32, shape (n_tracks, n_dimensions)
        From :func:`.sound.embed`.
    artists : sequence of str, length n_tracks
        Empty for an unknown artist.
    """

    sounds: NDArray[np.float32]
    artists: Sequence[str]

    @classmethod
    def of(cls, features: NDArray[np.float32], artists: Sequence[str]) -> Audio:
        """Compute from audio features, shape (n_tracks, n_features)."""
        with step("Placing the tracks by their sound"):
            return cls(embed(features), artists)

    @cached_property
    def relations(self) -> Neighbours:
        """Which tracks sound alike."""
        return alike(self.sounds)


@dataclass(frozen=True)
class Recipe:
    """Everything that was chosen on the validation window, by NDCG@10.

    Parameters
    ----------
    als : Hyperparameters
    ease_regularization : float
        λ of :meth:`.Ease.fit`.
    cosine_balance : float
        See :func:`.neighbours.cosine`.
    sound_prior : float
        See :meth:`.ContentMap.complete`; not used without audio.
    weights : dict of str to float
        Weights of the blend.
    habit : float
        Weight of the listener's own play counts in the ranking of tracks that the listener knows.
    threshold : float
        A pair with at least this score is predicted as "will listen".
    """

    als: Hyperparameters
    ease_regularization: float
    cosine_balance: float
    sound_prior: float
    weights: dict[str, float]
    habit: float
    threshold: float

    def summary(self) -> dict[str, Any]:
        """Return the choices as plain values."""
        return asdict(self)

    @classmethod
    def of(cls, summary: dict[str, Any]) -> Recipe:
        """Read what :meth:`summary` returned."""
        return cls(**summary | {"als": Hyperparameters(**summary["als"])})

    def fit_blend(self, fit: Fit, play_counts: sparse.csr_matrix, audio: Audio | None) -> Blend:
        """Fit the blend to play counts, shape (n_listeners, n_tracks)."""
        return self.blend(fit(play_counts, self.als), related(play_counts, self), play_counts, audio)

    def blend(
        self,
        factors: Factors,
        relations: Mapping[str, Neighbours],
        play_counts: sparse.csr_matrix,
        audio: Audio | None,
    ) -> Blend:
        """Build the blend from fitted factors and the relations that :func:`related` returns."""
        return Blend(
            _Ingredients(play_counts, audio).components(factors, relations, self.sound_prior), self.weights
        )


def related(
    play_counts: sparse.csr_matrix, recipe: Recipe, ease: Neighbours | None = None
) -> dict[str, Neighbours]:
    """Relate tracks by who played them, and keep the strongest relations, as a model that serves does.

    Parameters
    ----------
    play_counts : csr_matrix, shape (n_listeners, n_tracks)
    recipe : Recipe
    ease : Neighbours, optional
        EASE by this recipe, if it has been fitted already.
    """
    if ease is None:
        ease = neighbours.ease(play_counts, regularization=recipe.ease_regularization)
    cosine = neighbours.cosine(play_counts, balance=recipe.cosine_balance, kept=neighbours.KEPT)
    return {"ease": ease.truncated(), "cosine": cosine}


def choose(
    fit: Fit,
    window: Window,
    audio: Audio | None,
    *,
    trials: int = TRIALS,
    say: Say = print,
    tried: Tried | None = None,
) -> Recipe:
    """Choose what ranks new tracks best on the validation window.

    Parameters
    ----------
    fit : callable
        Fits ALS.
    window : Window
        The validation window.
    audio : Audio or None
    trials : int
        How many sets of ALS parameters are tried.
    say : callable
        Receives a line for each step.
    tried : dict, optional
        Receives the NDCG@10 of each set of ALS parameters.
    """
    rows = blend.sample_listeners(window)
    ingredients = _Ingredients(window.train, audio)

    def ndcg(scorer: Scorer) -> NDArray[np.float64]:
        return evaluate_ranking(scorer, window, listeners=rows).values["ndcg@10"]

    als, factors = _tune_als(fit, window, ndcg, trials, say, {} if tried is None else tried)
    gram = neighbours.Ease.of(window.train)
    ease = _prefer(EASE_REGULARIZATIONS, lambda value: ndcg(gram.fit(value)))
    say(f"EASE: λ = {ease:g}")
    balance = _prefer(
        COSINE_BALANCES,
        lambda value: ndcg(neighbours.cosine(window.train, balance=value, kept=COSINE_KEPT)),
    )
    say(f"item cosine: balance = {balance:g}")
    recipe = Recipe(als, ease, balance, 0.0, {}, 0.0, float("inf"))
    if audio is not None:
        content = ingredients.content(factors, audio)
        prior = _prefer(SOUND_PRIORS, lambda value: ndcg(content.complete(factors, ingredients.listeners, value)))
        recipe = replace(recipe, sound_prior=prior)
        say(f"audio: worth as much as {prior:g} listeners of a track")
    relations = related(window.train, recipe, gram.fit(ease))
    components = ingredients.components(factors, relations, recipe.sound_prior)
    weights = blend.fit_weights(components, window)
    say("blend: " + ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items()))
    blended = Blend(components, weights)
    habit = blend.fit_weights({"blend": blended, "habit": Habit()}, window, Task.REPEAT)["habit"]
    return replace(
        recipe,
        weights=weights,
        habit=habit,
        threshold=classification.best_threshold(blended, window, rows),
    )


@dataclass(frozen=True)
class _Ingredients:
    play_counts: sparse.csr_matrix
    audio: Audio | None

    @cached_property
    def listeners(self) -> NDArray[np.int64]:
        """Count the listeners of each track."""
        return np.asarray(np.diff(self.play_counts.tocsc().indptr))

    def content(self, factors: Factors, audio: Audio) -> ContentMap:
        """Fit a map from audio to factors."""
        return ContentMap.fit(factors, audio.sounds, audio.artists, self.listeners)

    def components(
        self, factors: Factors, relations: Mapping[str, Neighbours], sound_prior: float
    ) -> dict[str, Scorer]:
        """Return the same components as those of a model that serves."""
        if self.audio is not None:
            factors = self.content(factors, self.audio).complete(factors, self.listeners, sound_prior)
        made: dict[str, Scorer] = {"factors": factors, **relations, "popularity": Popularity.fit(self.play_counts)}
        return made if self.audio is None else made | {"sound": self.audio.relations}


def _prefer(choices: Sequence[Choice], ndcg: Callable[[Choice], NDArray[np.float64]]) -> Choice:
    """Return the first choice, unless another choice is better by more than two standard errors.

    If several are, return the one with the highest lower bound of its gain. On a small window, the best of many
    choices is often just the luckiest. With many listeners, this returns the best.
    """
    first, *others = (ndcg(choice) for choice in choices)
    if not len(first):
        return choices[0]
    gains = [other - first for other in others]
    surely = [gain.mean() - 2 * gain.std() / np.sqrt(len(gain)) for gain in gains]
    return choices[int(np.argmax([0.0, *surely]))]


def multiplications(play_counts: sparse.csr_matrix, parameters: Hyperparameters) -> float:
    """Estimate the multiplications of an ALS fit.

    In each iteration, every pair of listener and track adds two outer products, one for the listener and one for
    the track. For every listener and every track, a system of equations is solved.
    """
    pairs, systems = 2 * play_counts.nnz, sum(play_counts.shape)
    return float(parameters.iterations * parameters.rank**2 * (pairs + systems * parameters.rank / 3))


def _tune_als(
    fit: Fit, window: Window, ndcg: Callable[[Scorer], NDArray[np.float64]], trials: int, say: Say, tried: Tried
) -> tuple[Hyperparameters, Factors]:
    """Search rank, λ, α and iterations together. Return the best if `_prefer` prefers it to SIMPLEST."""
    largest = min(window.train.shape)
    simplest = replace(SIMPLEST, rank=min(SIMPLEST.rank, largest))
    grid = [
        Hyperparameters(rank, regularization, alpha, iterations)
        for rank in RANKS
        for regularization in REGULARIZATIONS
        for alpha in ALPHAS
        for iterations in ITERATIONS
        if rank <= largest
    ]
    drawn = np.random.default_rng(0).choice(len(grid), min(trials - 1, len(grid)), replace=False)
    others = [grid[i] for i in drawn]
    for each in [each for each in others if multiplications(window.train, each) > LARGEST_FIT]:
        say(f"ALS {each}: not tried, because one fit to {window.train.nnz:,} pairs would take too long")
        others.remove(each)

    @cache
    def look(parameters: Hyperparameters) -> tuple[NDArray[np.float64], Factors]:
        factors = fit(window.train, parameters)
        reached = ndcg(factors)
        tried[parameters] = float(reached.sum() / max(len(reached), 1))
        say(f"ALS {parameters}: NDCG@10 {tried[parameters]:.4f}")
        return reached, factors

    best = max(
        [simplest, *others],
        key=lambda parameters: look(parameters)[0].sum(),
    )
    chosen = _prefer([simplest, best], lambda parameters: look(parameters)[0])
    return chosen, look(chosen)[1]
