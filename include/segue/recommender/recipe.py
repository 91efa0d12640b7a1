"""Make the choices on the validation window, and fit the blend with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender import search, time_choices
from segue.recommender.components import blend, neighbours, transitions
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.graph import GraphFilter
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.components.popularity import Habit, Popularity
from segue.recommender.components.sound import ContentMap, alike, embed
from segue.recommender.components.transitions import Transitions
from segue.recommender.evaluation import classification
from segue.recommender.evaluation.metrics import Scorer, Task, evaluate_ranking
from segue.recommender.evaluation.windows import Window
from segue.recommender.timeline import Timeline
from segue.runs.progress import step

Fit = Callable[[sparse.csr_matrix, Hyperparameters], Factors]
"""Fits ALS to play counts, as :func:`segue.recommender.components.als.fit` does."""

Say = Callable[[str], None]

Tried = dict[Hyperparameters, float]
"""NDCG@10 of ALS alone on the validation window, by its parameters."""

TRIALS = 8

# The first choice of each is the safest with little data; see `search.prefer`.
COSINE_BALANCES = (0.5, 0.35, 0.2)
SOUND_PRIORS = (1.0, 0.0, 4.0, 16.0)
COSINE_KEPT = 1_000
EASE_KEPT = (50, 100, neighbours.KEPT, neighbours.LARGEST_KEPT)
"""The smallest that is at most one standard error worse than the best is chosen."""

GRAPH_RANK = 32


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
    def of(
        cls,
        features: NDArray[np.float32],
        artists: Sequence[str],
        weights: NDArray[np.float64] | None = None,
    ) -> Audio:
        """Compute from audio features, shape (n_tracks, n_features), and their weights; see `.sound.embed`."""
        with step("Placing the tracks by their sound"):
            return cls(embed(features, weights), artists)

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
    graph_rank : int or None
        See :meth:`.GraphFilter.fit`; None for a version that was trained before GF-CF became a component.
    popularity_half_life_days : float or None
        See :meth:`.Popularity.fit`; None if listeners of all times count the same.
    ease_kept : int
        How many relations of EASE a track keeps.
    transitions_memory : float or None
        See :class:`.Transitions`; None if transitions are no part of the blend.
    transitions_half_life_days : float or None
        See :func:`.transitions.relate`; None if plays of all times count the same.
    """

    als: Hyperparameters
    ease_regularization: float
    cosine_balance: float
    sound_prior: float
    weights: dict[str, float]
    habit: float
    threshold: float
    graph_rank: int | None = None
    popularity_half_life_days: float | None = None
    ease_kept: int = neighbours.KEPT
    transitions_memory: float | None = None
    transitions_half_life_days: float | None = None

    def summary(self) -> dict[str, Any]:
        """Return the choices as plain values."""
        return asdict(self)

    @classmethod
    def of(cls, summary: dict[str, Any]) -> Recipe:
        """Read what :meth:`summary` returned."""
        return cls(**summary | {"als": Hyperparameters(**summary["als"])})

    def popularity(self, play_counts: sparse.csr_matrix, timeline: Timeline | None) -> Popularity:
        """Count the listeners of each track."""
        last = None if timeline is None else timeline.last
        return Popularity.fit(play_counts, last, self.popularity_half_life_days)

    def transitions(self, timeline: Timeline | None) -> dict[str, Transitions]:
        """Relate tracks by what is played after them, as the component ``transitions``.

        The result is empty if transitions are no part of the blend, or the plays have no times.
        """
        if self.transitions_memory is None or timeline is None:
            return {}
        relations = transitions.relate(timeline, self.transitions_half_life_days)
        return {"transitions": Transitions(relations, self.transitions_memory)}

    def fit_blend(
        self, fit: Fit, play_counts: sparse.csr_matrix, audio: Audio | None, timeline: Timeline | None = None
    ) -> Blend:
        """Fit the blend to play counts, shape (n_listeners, n_tracks), and to their order in time."""
        return self.blend(fit(play_counts, self.als), related(play_counts, self), play_counts, audio, timeline)

    def blend(
        self,
        factors: Factors,
        relations: Mapping[str, Neighbours],
        play_counts: sparse.csr_matrix,
        audio: Audio | None,
        timeline: Timeline | None = None,
    ) -> Blend:
        """Build the blend from fitted factors and the relations that :func:`related` returns."""
        return Blend(_Ingredients(play_counts, audio, timeline).components(factors, relations, self), self.weights)


def related(
    play_counts: sparse.csr_matrix,
    recipe: Recipe,
    ease: Neighbours | None = None,
    graph: Neighbours | None = None,
) -> dict[str, Neighbours]:
    """Relate tracks by who played them, and keep the strongest relations, as a model that serves does.

    Parameters
    ----------
    play_counts : csr_matrix, shape (n_listeners, n_tracks)
    recipe : Recipe
    ease : Neighbours, optional
        EASE by this recipe, if it has been fitted already.
    graph : Neighbours, optional
        GF-CF by this recipe, if it has been made already.
    """
    if ease is None:
        ease = neighbours.ease(play_counts, regularization=recipe.ease_regularization)
    cosine = neighbours.cosine(play_counts, balance=recipe.cosine_balance, kept=neighbours.KEPT)
    relations = {"ease": ease.truncated(recipe.ease_kept), "cosine": cosine}
    if recipe.graph_rank is not None:
        if graph is None:
            graph = GraphFilter.of(play_counts, vectors=recipe.graph_rank).fit(recipe.graph_rank)
        relations["graph"] = graph.truncated()
    return relations


def choose(
    fit: Fit,
    window: Window,
    audio: Audio | None,
    *,
    trials: int = TRIALS,
    seed: int = 0,
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
    seed : int
        Seed for the sets of ALS parameters that are tried.
    say : callable
        Receives a line for each step.
    tried : dict, optional
        Receives the NDCG@10 of each set of ALS parameters.
    """
    rows = blend.sample_listeners(window)
    ingredients = _Ingredients(window.train, audio, window.timeline)

    def ndcg(scorer: Scorer) -> NDArray[np.float64]:
        return evaluate_ranking(scorer, window, listeners=rows).values["ndcg@10"]

    als, factors = _tune_als(fit, window, ndcg, trials, seed, say, {} if tried is None else tried)
    gram = neighbours.Ease.of(window.train)
    ease = search.climb(
        search.first_ease(window.train),
        lambda first, steps: first * 3.0**steps,
        lambda value: ndcg(gram.fit(value)),
    )
    fitted = gram.fit(ease)
    ease_kept = search.smallest({size: ndcg(fitted.truncated(size)) for size in EASE_KEPT})
    say(f"EASE: λ = {ease:.3g}, {ease_kept} relations of a track")
    balance = search.prefer(
        {
            value: ndcg(neighbours.cosine(window.train, balance=value, kept=COSINE_KEPT))
            for value in COSINE_BALANCES
        }
    )
    say(f"item cosine: balance = {balance:g}")
    graph = GraphFilter.of(window.train)
    rank = search.climb(
        min(GRAPH_RANK, len(graph.vectors)),
        lambda first, steps: max(1, min(round(first * 2.0**steps), len(graph.vectors))),
        lambda value: ndcg(graph.fit(value)),
    )
    say(f"GF-CF: {rank} singular vectors")
    half_life_days = time_choices.half_life(window, ndcg)
    recipe = Recipe(als, ease, balance, 0.0, {}, 0.0, float("inf"), rank, half_life_days, ease_kept)
    if audio is not None:
        content = ingredients.content(factors, audio)
        prior = search.prefer(
            {prior: ndcg(content.complete(factors, ingredients.listeners, prior)) for prior in SOUND_PRIORS}
        )
        recipe = replace(recipe, sound_prior=prior)
        say(f"audio: worth as much as {prior:g} listeners of a track")
    relations = related(window.train, recipe, fitted, graph.fit(rank))
    components = ingredients.components(factors, relations, recipe)
    weights = blend.fit_weights(components, window)
    say("blend: " + ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items()))
    if chosen := time_choices.transitions(components, weights, window, say):
        weights = {name: (1 - chosen.share) * weight for name, weight in weights.items()}
        weights["transitions"] = chosen.share
        components["transitions"] = chosen.component
        recipe = replace(
            recipe,
            transitions_memory=chosen.component.memory,
            transitions_half_life_days=chosen.half_life_days,
        )
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
    timeline: Timeline | None = None

    @cached_property
    def listeners(self) -> NDArray[np.int64]:
        """Count the listeners of each track."""
        return np.asarray(np.diff(self.play_counts.tocsc().indptr))

    def content(self, factors: Factors, audio: Audio) -> ContentMap:
        """Fit a map from audio to factors."""
        return ContentMap.fit(factors, audio.sounds, audio.artists, self.listeners)

    def components(
        self, factors: Factors, relations: Mapping[str, Neighbours], recipe: Recipe
    ) -> dict[str, Scorer]:
        """Return the same components as those of a model that serves."""
        if self.audio is not None:
            factors = self.content(factors, self.audio).complete(factors, self.listeners, recipe.sound_prior)
        made: dict[str, Scorer] = {
            "factors": factors,
            **relations,
            "popularity": recipe.popularity(self.play_counts, self.timeline),
            **recipe.transitions(self.timeline),
        }
        return made if self.audio is None else made | {"sound": self.audio.relations}


def _tune_als(
    fit: Fit,
    window: Window,
    ndcg: Callable[[Scorer], NDArray[np.float64]],
    trials: int,
    seed: int,
    say: Say,
    tried: Tried,
) -> tuple[Hyperparameters, Factors]:
    """Search rank, λ, α and iterations together. Return the best if `search.prefer` prefers it to the simplest."""
    simplest = search.simplest(window.train)
    others = search.draw(window.train, trials - 1, seed)
    for each in [each for each in others if search.multiplications(window.train, each) > search.LARGEST_FIT]:
        say(f"ALS {each}: not tried, because one fit to {window.train.nnz:,} pairs would take too long")
        others.remove(each)

    @cache
    def look(parameters: Hyperparameters) -> tuple[NDArray[np.float64], Factors]:
        factors = fit(window.train, parameters)
        reached = ndcg(factors)
        tried[parameters] = float(reached.sum() / max(len(reached), 1))
        say(f"ALS {parameters}: NDCG@10 {tried[parameters]:.4f}")
        return reached, factors

    best = max([simplest, *others], key=lambda parameters: look(parameters)[0].sum())
    chosen = search.prefer({parameters: look(parameters)[0] for parameters in (simplest, best)})
    return chosen, look(chosen)[1]
