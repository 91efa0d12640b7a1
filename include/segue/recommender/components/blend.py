"""Blend several components into one score: a weighted sum, with weights fitted on the validation window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.evaluation.metrics import FEW, Scorer, Task, batches, best, candidates, relevance
from segue.recommender.evaluation.windows import Window
from segue.runs.progress import parts

WEIGHTINGS = 400
"""How many random weights are tried, besides equal weights and each component alone."""

RESAMPLES = 100
"""How many times the listeners are resampled. The best weights of all samples are averaged."""

POOL = 300
"""The weights are fitted on this many tracks of each component: those with its highest scores."""

LEARNING_SCORES = 100_000_000
"""At most this many scores of one component are computed for a sample of listeners. This bounds the memory."""

LEARNING_LISTENERS = 3_000
"""A sample has at most this many listeners."""


def spread(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the root mean square of each listener's scores, shape (n_listeners, 1); 1 where all scores are 0.

    Each component's scores are divided by it. All components are then on one scale.
    """
    size = np.sqrt([np.dot(row, row) / len(row) for row in scores])
    return np.where(size > 0, size, 1).astype(np.float32)[:, None]


@dataclass(frozen=True)
class Blend:
    """Weighted sum of components, each divided by its :func:`spread`.

    Parameters
    ----------
    components : mapping of str to Scorer
    weights : mapping of str to float
        By the names of the components. A component with weight 0 is left out.
    """

    components: Mapping[str, Scorer]
    weights: Mapping[str, float]

    def score(
        self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """Score the catalogue for listeners; both arguments have shape (n_listeners, n_tracks)."""
        return self.weigh(play_counts, session)[0]

    def weigh(
        self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        """Return the scores of the catalogue, and the multiplier of each component, shape (n_listeners, 1)."""
        total = np.zeros(play_counts.shape, dtype=np.float32)
        factors: dict[str, NDArray[np.float32]] = {}
        for name, weight in self.weights.items():
            if weight:
                scores = self.components[name].score(play_counts, session)
                factors[name] = np.float32(weight) / spread(scores)
                scores *= factors[name]
                total += scores
        return total, factors


def most_listeners(n_tracks: int) -> int:
    """Return how many listeners are sampled at most, so that their scores fit in memory."""
    return min(LEARNING_LISTENERS, max(1, LEARNING_SCORES // n_tracks))


def sample_listeners(window: Window, seed: int = 0) -> NDArray[np.int64]:
    """Return the listeners with a history and with a held-out play of a track that is new to them.

    Listeners without a history get what is popular, whatever is chosen. So they only count if there are no others.
    If there are more listeners than memory allows, they are sampled at random.
    """
    new = relevance(window, Task.NEW, np.zeros(window.train.shape[1], dtype=bool))
    rows = np.flatnonzero(np.diff(new.indptr))
    known = rows[np.diff(window.train.indptr)[rows] > 0]
    rows = known if len(known) else rows
    limit = most_listeners(window.train.shape[1])
    if len(rows) > limit:
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    return rows


def fit_weights(
    components: Mapping[str, Scorer], window: Window, task: Task = Task.NEW, *, seed: int = 0
) -> dict[str, float]:
    """Find the weights with the highest NDCG@10 on a window, averaged over resamples of its listeners.

    On a small window, the best of many weights are often just the luckiest. So the listeners are resampled with
    replacement, and the weights that are best for each sample are averaged (bagging, Breiman 1996). With few
    listeners the best weights differ between samples, and their mean is cautious. With many listeners they agree.

    Parameters
    ----------
    components : mapping of str to Scorer
        Fitted to the window's training plays.
    window : Window
    task : Task
    seed : int
        Seed for the weights that are tried and for the resampling.

    Returns
    -------
    dict of str to float
        Weights that sum to 1. If no held-out play is relevant to the task, they are equal.
    """
    rows = sample_listeners(window)
    number = len(components)
    weights = np.full(number, 1 / number)
    if len(rows):
        random = np.random.default_rng(seed)
        tried = np.vstack([weights, np.eye(number), random.dirichlet(np.ones(number), WEIGHTINGS)])
        pool = _Pool.of(components, window, task, rows)
        ndcg = np.array([pool.ndcg(each) for each in parts(tried, len(tried), "Trying weights for the blend")])
        drawn = random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=RESAMPLES)
        weights = tried[np.argmax(ndcg @ drawn.T, axis=0)].mean(axis=0)
    return dict(zip(components, weights.tolist(), strict=True))


def with_shares(
    components: Mapping[str, Scorer],
    weights: Mapping[str, float],
    others: Mapping[str, Scorer],
    shares: Sequence[float],
    window: Window,
) -> dict[tuple[str, float], NDArray[np.float64]]:
    """Give one more component a share of the weights, and evaluate this on all rows of a window.

    Parameters
    ----------
    components : mapping of str to Scorer
    weights : mapping of str to float
        Weights of `components`, which sum to 1.
    others : mapping of str to Scorer
        Components of which one may be added.
    shares : sequence of float
        Weights of the added component. The other weights then sum to 1 minus this share.
    window : Window

    Returns
    -------
    dict of tuple to ndarray of float64, each of shape (n_listeners,)
        NDCG@10 by the name of the added component and its share. The first has the share 0.
    """
    rows, base = np.arange(window.train.shape[0]), np.array([*weights.values()])
    pool = _Pool.of({**{name: components[name] for name in weights}, **others}, window, Task.NEW, rows)
    tried = [(next(iter(others)), 0.0), *product(others, shares)]
    added = np.eye(len(others))
    return {
        (name, share): pool.ndcg(np.append((1 - share) * base, share * added[list(others).index(name)]))
        for name, share in tried
    }


@dataclass(frozen=True)
class _Pool:
    """For each listener, the candidates with the highest scores of each component.

    The search for weights needs no other candidates.

    Parameters
    ----------
    scores : ndarray of float32, shape (n_components, n_listeners, n_pool)
        Scaled by :func:`spread`.
    hits : ndarray of bool, shape (n_listeners, n_pool)
        Whether a candidate is relevant.
    absent : ndarray of bool, shape (n_listeners, n_pool)
        Whether a place has no candidate.
    sizes : ndarray of int, shape (n_listeners,)
        How many tracks are relevant, whether in the pool or not.
    """

    scores: NDArray[np.float32]
    hits: NDArray[np.bool_]
    absent: NDArray[np.bool_]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, components: Mapping[str, Scorer], window: Window, task: Task, rows: NDArray[np.int64]) -> _Pool:
        few = np.diff(window.train.tocsc().indptr) < FEW
        relevant = relevance(window, task, few)
        cut = list(batches(rows, window.train.shape[1]))
        found = [
            cls._of(components, window.train[some], window.session_of(some), relevant[some], task, few)
            for some in parts(cut, len(cut), "Scoring the tracks that the weights are fitted on")
        ]
        return cls(
            np.concatenate([each.scores for each in found], axis=1),
            *(np.concatenate([getattr(each, name) for each in found]) for name in ("hits", "absent", "sizes")),
        )

    @classmethod
    def _of(
        cls,
        components: Mapping[str, Scorer],
        play_counts: sparse.csr_matrix,
        session: sparse.csr_matrix | None,
        relevant: sparse.csr_matrix,
        task: Task,
        few: NDArray[np.bool_],
    ) -> _Pool:
        scaled, tops = [], []
        for component in components.values():
            scores = component.score(play_counts, session)
            scaled.append(scores / spread(scores))
            tops.append(best(candidates(scores, play_counts, task, few), POOL))
        members = np.sort(np.concatenate(tops, axis=1), axis=1)
        members[:, 1:][members[:, 1:] == members[:, :-1]] = -1
        marked = np.zeros(play_counts.shape, dtype=bool)
        marked[np.repeat(np.arange(play_counts.shape[0]), np.diff(relevant.indptr)), relevant.indices] = True
        absent = members < 0
        return cls(
            np.array([np.take_along_axis(each, members, axis=1) for each in scaled]),
            np.take_along_axis(marked, members, axis=1) & ~absent,
            absent,
            np.diff(relevant.indptr),
        )

    def ndcg(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each listener's NDCG@10 of the weighted sum; 0 for a listener without a relevant track."""
        blended = np.tensordot(weights.astype(np.float32), self.scores, axes=1)
        blended[self.absent] = -np.inf
        top = best(blended, 10)
        gains = 1 / np.log2(np.arange(2, top.shape[1] + 2))
        hit = np.take_along_axis(self.hits, np.maximum(top, 0), axis=1) & (top >= 0)
        ideal = np.cumsum(gains)[np.clip(self.sizes, 1, len(gains)) - 1]
        return np.asarray((hit @ gains) / ideal)
