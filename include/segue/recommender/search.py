"""Search for parameters on the validation window, on scales that do not depend on the size of the counts.

The best λ of ALS grows with the confidence 1 + α·r of the mean strength r. The best λ of EASE grows with the mean
square of the strength. So the search draws their quotients. The recipe holds the resulting α and λ.

A single parameter is searched by steps of one factor from a first choice, as long as NDCG@10 rises. So the search
has no end at which a choice could be caught.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import qmc

from segue.recommender.components.als import Hyperparameters

RANKS, ITERATIONS = (8, 16, 32, 64, 128), (5, 15)

CONFIDENCES = (1.0, 30.0)
"""Bounds of α times the mean strength."""

REGULARIZATIONS = (0.02, 0.5)
"""Bounds of ALS' λ, divided by the confidence of the mean strength."""

# The first choice of each parameter is the safest with little data; see `prefer`.
SIMPLEST = Hyperparameters(rank=8, regularization=0.15, alpha=1.0, iterations=15)
"""Its α and λ are quotients, as the bounds are."""

EASE_REGULARIZATION = 90.0
"""EASE's first λ, divided by the mean square of the strength."""

LARGEST_FIT = 3e11
"""A fit of ALS with more :func:`multiplications` is not tried. That many take MLlib some 250 s of CPU time."""

STEPS = 6
"""A parameter moves at most this many steps away from the first choice."""

Value = TypeVar("Value", int, float)
Choice = TypeVar("Choice")


def simplest(play_counts: sparse.csr_matrix) -> Hyperparameters:
    """Return the parameters of ALS that are safest with little data, for these plays."""
    at = replace(SIMPLEST, rank=min(SIMPLEST.rank, *play_counts.shape))
    return _scaled(play_counts, at.rank, at.regularization, at.alpha, at.iterations)


def draw(play_counts: sparse.csr_matrix, count: int, seed: int) -> list[Hyperparameters]:
    """Draw parameters of ALS: λ and α log-uniform, spread evenly over their ranges (a Latin hypercube)."""
    ranks = [rank for rank in RANKS if rank <= min(play_counts.shape)] or [min(play_counts.shape)]
    points = qmc.LatinHypercube(4, rng=seed).random(count)
    return [
        _scaled(
            play_counts,
            ranks[int(rank * len(ranks))],
            _between(REGULARIZATIONS, regularization),
            _between(CONFIDENCES, confidence),
            ITERATIONS[int(iterations * len(ITERATIONS))],
        )
        for rank, regularization, confidence, iterations in points
    ]


def multiplications(play_counts: sparse.csr_matrix, parameters: Hyperparameters) -> float:
    """Estimate the multiplications of an ALS fit.

    In each iteration, every pair of listener and track adds two outer products, one for the listener and one for
    the track. For every listener and every track, a system of equations is solved.
    """
    pairs, systems = 2 * play_counts.nnz, sum(play_counts.shape)
    return float(parameters.iterations * parameters.rank**2 * (pairs + systems * parameters.rank / 3))


def first_ease(play_counts: sparse.csr_matrix) -> float:
    """Return the λ of EASE that the search begins with."""
    strengths = play_counts.log1p().data
    return EASE_REGULARIZATION * float(np.mean(strengths**2)) if len(strengths) else EASE_REGULARIZATION


def climb(
    first: Value,
    move: Callable[[Value, int], Value],
    ndcg: Callable[[Value], NDArray[np.float64]],
) -> Value:
    """Search for a parameter from a first choice, up and then down, as long as the mean NDCG@10 rises.

    Parameters
    ----------
    first : int or float
    move : callable
        Returns the value so many steps away from the first choice. A value that comes again ends the search.
    ndcg : callable
        Returns NDCG@10 of each listener.
    """
    reached = {first: ndcg(first)}
    for side in (1, -1):
        before = first
        for steps in range(1, STEPS + 1):
            value = move(first, side * steps)
            if value in reached:
                break
            reached[value] = ndcg(value)
            if reached[value].sum() <= reached[before].sum():
                break
            before = value
        if before != first:
            break
    return prefer(reached)


def prefer(reached: Mapping[Choice, NDArray[np.float64]]) -> Choice:
    """Return the first choice, unless another choice is better by more than two standard errors.

    If several are, return the one with the highest lower bound of its gain. On a small window, the best of many
    choices is often just the luckiest. With many listeners, this returns the best. One listener shows nothing.

    Parameters
    ----------
    reached : mapping of choice to ndarray
        NDCG@10 of each listener.
    """
    choices = list(reached)
    first, *others = reached.values()
    if len(first) < 2:
        return choices[0]
    gains = [other - first for other in others]
    surely = [gain.mean() - 2 * gain.std() / np.sqrt(len(gain)) for gain in gains]
    return choices[int(np.argmax([0.0, *surely]))]


def smallest(reached: Mapping[Choice, NDArray[np.float64]]) -> Choice:
    """Return the first choice that is at most one standard error worse than the best (Breiman et al. 1984).

    The standard error is that of the difference, paired by listener.

    Parameters
    ----------
    reached : mapping of choice to ndarray
        NDCG@10 of each listener, the cheapest choice first. With fewer than two listeners, the last choice is
        returned.
    """
    choices, values = list(reached), list(reached.values())
    if len(values[0]) < 2:
        return choices[-1]
    losses = max(values, key=lambda each: each.sum()) - np.array(values)
    return choices[int(np.argmax(losses.mean(axis=1) <= losses.std(axis=1) / np.sqrt(losses.shape[1])))]


def _scaled(
    play_counts: sparse.csr_matrix, rank: int, regularization: float, confidence: float, iterations: int
) -> Hyperparameters:
    strengths = play_counts.log1p().data
    strength = float(strengths.mean()) if len(strengths) else 1.0
    return Hyperparameters(
        rank, float(f"{regularization * (1 + confidence):.3g}"), float(f"{confidence / strength:.3g}"), iterations
    )


def _between(bounds: tuple[float, float], share: float) -> float:
    low, high = bounds
    return float(low * (high / low) ** share)
