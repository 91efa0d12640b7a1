"""Will this listener play that track? A classifier compares the blend's score with a threshold, for every pair."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from segue.recommender.evaluation.metrics import Scorer, Task, batches, candidates, relevance
from segue.recommender.evaluation.windows import Window
from segue.runs.progress import parts

THRESHOLDS = 400

_NONE = np.empty(0, dtype=np.float32)

LISTENERS = 3_000
"""The classifier is evaluated on at most this many listeners, drawn at random."""


def best_threshold(scorer: Scorer, window: Window, listeners: np.ndarray) -> float:
    """Return the threshold with the highest F1: a pair with at least this score is predicted as "will listen"."""
    positive = np.concatenate([scores[hit] for scores, hit in _pairs(scorer, window, listeners)] or [_NONE])
    if not len(positive):
        return float("inf")
    edges = np.unique(np.quantile(positive, np.linspace(0, 1, THRESHOLDS)))
    called = np.zeros(len(edges) + 1, dtype=np.int64)
    for scores, _ in _pairs(scorer, window, listeners):
        called += np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1)
    above = called[::-1].cumsum()[::-1][1:]
    right = len(positive) - np.searchsorted(np.sort(positive), edges, side="left")
    return float(edges[np.argmax(2 * right / (above + len(positive)))])


def will_listen(scorer: Scorer, window: Window, listeners: np.ndarray, threshold: float) -> dict[str, float]:
    """Evaluate the classifier on a window: accuracy, precision, recall, F1, and the share of positive pairs.

    Few pairs are positive, so a classifier that always says no has a high accuracy: see ``positive_share``.
    """
    if len(listeners) > LISTENERS:
        listeners = np.sort(np.random.default_rng(0).choice(listeners, LISTENERS, replace=False))
    pairs = called = right = positive = 0
    for scores, hit in _pairs(scorer, window, listeners):
        yes = scores >= threshold
        pairs, called, positive = pairs + len(scores), called + int(yes.sum()), positive + int(hit.sum())
        right += int((yes & hit).sum())
    precision, recall = right / max(called, 1), right / max(positive, 1)
    return {
        "accuracy": 1 - (called + positive - 2 * right) / max(pairs, 1),
        "precision": precision,
        "recall": recall,
        "f1": 2 * right / max(called + positive, 1),
        "positive_share": positive / max(pairs, 1),
    }


def _pairs(
    scorer: Scorer, window: Window, listeners: np.ndarray
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Yield the scores of all pairs of listener and new track, and which pairs have a held-out play."""
    none = np.zeros(window.train.shape[1], dtype=bool)
    relevant = relevance(window, Task.NEW, none)
    cut = list(batches(listeners, window.train.shape[1]))
    for part in parts(cut, len(cut), "Scoring pairs of listener and track"):
        play_counts = window.train[part]
        scores = candidates(scorer.score(play_counts), play_counts, Task.NEW, none)
        hit = relevant[part].toarray() > 0
        there = np.isfinite(scores)
        yield scores[there], hit[there]
