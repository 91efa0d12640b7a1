"""Evaluate rankings of the whole catalogue: metrics of each listener, then means with bootstrap intervals.

Relevance is binary. A hit at position p gains 1/log2(p + 1). NDCG@k is the sum of these gains over the first k
positions, divided by that of the best possible list (Järvelin and Kekäläinen 2002). Recall is the number of hits
divided by the number of relevant tracks. Tracks with equal scores have no order, so each of their positions counts
as their mean relevance, as on average over all orders. No candidate is left out, because metrics on a sample of
the candidates can order models wrongly (Krichene and Rendle 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.evaluation.windows import Window
from segue.runs.progress import parts

DEPTH = 100
"""Length of the rankings that are evaluated."""

FEW = 5
"""A track with fewer listeners than this is cold, and so is a listener with fewer tracks."""

_SAMPLED = 16
"""One in this many scores is sampled. The sample estimates how high the highest scores are."""

BATCH_SCORES = 8_000_000
"""How many scores each thread holds in memory at a time."""

THREADS = 2

Matrix = NDArray[np.float32]

Metrics = dict[str, NDArray[np.float64]]
"""Values by metric, one for each listener."""

NAMES = (
    *("ndcg@10", "ndcg@100", "recall@20", "recall@50", "map@100", "precision@10"),
    *("novelty@10", "popularity_lift@10"),
)


class Scorer(Protocol):
    """Anything that scores every track, given what a listener has played."""

    def score(self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None) -> Matrix:
        """Score the catalogue for listeners.

        Parameters
        ----------
        play_counts : csr_matrix, shape (n_listeners, n_tracks)
        session : csr_matrix, shape (n_listeners, n_tracks), optional
            Ranks of the tracks of the session that each listener is in, from :func:`.session_ranks`. None if
            nobody is in a session.

        Returns
        -------
        ndarray of float32, shape (n_listeners, n_tracks)
            Higher is better.
        """
        ...


class Task(StrEnum):
    """Which tracks are ranked, and so which of the held-out plays count."""

    NEW = "new"  # not played before
    REPEAT = "repeat"  # played before
    COLD = "cold"  # not played before, and by fewer than FEW listeners in all


@dataclass(frozen=True)
class RankingMetrics:
    """Metrics of each listener who has a held-out play that counts.

    Parameters
    ----------
    listeners : ndarray of int, shape (n,)
        Rows of the window.
    values : dict of str to ndarray, each of shape (n,)
    coverage : float
        Share of the candidates that are in at least one listener's first ten.
    """

    listeners: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    coverage: float

    def means(self) -> dict[str, float]:
        """Average over listeners. The averages are 0 if there are no listeners."""
        return {name: float(v.mean()) if len(v) else 0.0 for name, v in self.values.items()} | {
            "coverage@10": self.coverage
        }

    def among(self, listeners: NDArray[np.int64]) -> RankingMetrics:
        """Keep some listeners only. The coverage stays that of all listeners."""
        kept = np.isin(self.listeners, listeners)
        return RankingMetrics(self.listeners[kept], {k: v[kept] for k, v in self.values.items()}, self.coverage)


def evaluate_ranking(
    scorer: Scorer, window: Window, task: Task = Task.NEW, *, listeners: NDArray[Any] | None = None
) -> RankingMetrics:
    """Rank all candidates for every listener, and compare the rankings with the held-out plays.

    Parameters
    ----------
    scorer : Scorer
        Fitted to the window's training plays.
    window : Window
    task : Task
    listeners : ndarray of int, optional
        Rows to evaluate; default all.
    """
    return evaluate_rankings(scorer, window, [task], listeners=listeners)[task]


def evaluate_rankings(
    scorer: Scorer,
    window: Window,
    tasks: Sequence[Task],
    *,
    listeners: NDArray[Any] | None = None,
    familiar: Callable[[Matrix, sparse.csr_matrix], Matrix] | None = None,
    what: str = "Evaluating",
) -> dict[Task, RankingMetrics]:
    """Score every listener once, and evaluate several tasks by the same scores.

    Parameters
    ----------
    scorer : Scorer
        Fitted to the window's training plays.
    window : Window
    tasks : sequence of Task
    listeners : ndarray of int, optional
        Rows to evaluate; default all.
    familiar : callable, optional
        Computes the scores of `Task.REPEAT` from the scorer's scores and the listeners' training plays. By
        default, the scorer's scores are used.
    what : str
        First words of the progress lines.

    Returns
    -------
    dict of Task to RankingMetrics
    """
    n_listeners, n_tracks = window.train.shape
    popularity = np.diff(window.train.tocsc().indptr)
    few = popularity < FEW
    information = -np.log2((popularity + 1) / (n_listeners + 1))
    relevant = {task: relevance(window, task, few) for task in tasks}
    rows = np.arange(n_listeners) if listeners is None else listeners
    rows = rows[np.any([np.diff(each.indptr)[rows] > 0 for each in relevant.values()], axis=0)]
    shown = {task: np.zeros(n_tracks, dtype=bool) for task in tasks}
    # Each task removes further candidates from the scores of the previous task.
    ordered = sorted(tasks, key=[Task.REPEAT, Task.NEW, Task.COLD].index)

    def look(part: NDArray[Any]) -> dict[Task, tuple[NDArray[Any], Metrics]]:
        play_counts = window.train[part]
        scores = scorer.score(play_counts, window.session_of(part))
        found = {}
        for task in ordered:
            counts = np.diff(relevant[task].indptr)[part] > 0
            repeats = task is Task.REPEAT
            if repeats:
                known = familiar(scores, play_counts) if familiar else scores
                top, ranked = best_played(known, play_counts, DEPTH)[counts], known[counts]
            else:
                scores = candidates(scores, play_counts, task, few)
                ranked = scores if counts.all() else scores[counts]
                top = best(ranked, DEPTH)
            lists = _hit_metrics(top, relevant[task][part[counts]], ranked, tied_below=not repeats)
            lists |= _character(top, play_counts[counts], popularity, information)
            first = top[:, :10]
            shown[task][first[first >= 0]] = True
            found[task] = (part[counts], lists)
        return found

    cut = list(batches(rows, n_tracks))
    with ThreadPoolExecutor(THREADS) as threads:  # NumPy and SciPy release Python's lock while they calculate
        evaluated = list(parts(threads.map(look, cut), len(cut), what))
    return {task: _gathered([each[task] for each in evaluated], shown[task], few, task) for task in tasks}


def _character(
    top: NDArray[np.int64],
    play_counts: sparse.csr_matrix,
    popularity: NDArray[np.int64],
    information: NDArray[np.float64],
) -> Metrics:
    """Measure how novel and how popular each list's first ten are, compared with what the listener plays."""
    first = top[:, :10]
    there = first >= 0
    count = np.maximum(there.sum(axis=1), 1)
    own = np.asarray((play_counts > 0) @ popularity) / np.maximum(np.diff(play_counts.indptr), 1)
    theirs = np.where(there, popularity[first], 0).sum(axis=1) / count
    return {
        "novelty@10": np.where(there, information[first], 0).sum(axis=1) / count,
        "popularity_lift@10": np.divide(theirs, own, out=np.ones(len(own)), where=own > 0) - 1,
    }


def _gathered(
    evaluated: Sequence[tuple[NDArray[Any], Metrics]], shown: NDArray[np.bool_], few: NDArray[np.bool_], task: Task
) -> RankingMetrics:
    names = evaluated[0][1] if evaluated else NAMES
    values = {name: np.concatenate([lists[name] for _, lists in evaluated] or [np.empty(0)]) for name in names}
    rows = np.concatenate([rows for rows, _ in evaluated] or [np.empty(0, dtype=np.int64)])
    pool = few.sum() if task is Task.COLD else len(shown)
    return RankingMetrics(rows, values, float(shown.sum() / max(pool, 1)))


def relevance(window: Window, task: Task, known_by_few: NDArray[np.bool_]) -> sparse.csr_matrix:
    """Mark the held-out plays that count for a task."""
    played, held_out = window.train > 0, window.held_out > 0
    if task is Task.REPEAT:
        return sparse.csr_matrix(held_out.multiply(played))
    new = sparse.csr_matrix(held_out > held_out.multiply(played))
    return sparse.csr_matrix(new @ sparse.diags(known_by_few.astype(np.float32))) > 0 if task is Task.COLD else new


def candidates(
    scores: Matrix, play_counts: sparse.csr_matrix, task: Task, known_by_few: NDArray[np.bool_]
) -> Matrix:
    """Set the scores of tracks that are not candidates to minus infinity.

    This changes `scores` itself, unless the task is `Task.REPEAT`.
    """
    rows = np.repeat(np.arange(play_counts.shape[0]), np.diff(play_counts.indptr))
    if task is Task.REPEAT:
        kept = np.full_like(scores, -np.inf)
        kept[rows, play_counts.indices] = scores[rows, play_counts.indices]
        return kept
    scores[rows, play_counts.indices] = -np.inf
    if task is Task.COLD:
        scores[:, ~known_by_few] = -np.inf
    return scores


def best(scores: Matrix, k: int) -> NDArray[np.int64]:
    """Return the positions of the k highest scores of each row, highest first.

    A row with fewer finite scores ends with -1. A score that is not a number never takes a place.
    """
    k = min(k, scores.shape[1])
    if scores.size and np.isnan(scores.max()):
        scores = np.where(np.isnan(scores), -np.inf, scores)
    top = np.array([highest(row, k) for row in scores], dtype=np.int64).reshape(len(scores), k)
    values = np.take_along_axis(scores, top, axis=1)
    order = np.lexsort((top, -values), axis=1)
    top = np.take_along_axis(top, order, axis=1)
    return np.where(np.isfinite(np.take_along_axis(values, order, axis=1)), top, -1)


def best_played(scores: Matrix, play_counts: sparse.csr_matrix, k: int) -> NDArray[np.int64]:
    """Return the positions of the k highest scores among the tracks that each listener has played, highest first.

    The row of a listener with fewer tracks ends with -1.
    """
    top = np.full((len(scores), min(k, scores.shape[1])), -1, dtype=np.int64)
    for row, (begin, end) in enumerate(pairwise(play_counts.indptr)):
        played = play_counts.indices[begin:end]
        played = played[np.isfinite(scores[row, played])]
        order = np.lexsort((played, -scores[row, played]))[: top.shape[1]]
        top[row, : len(order)] = played[order]
    return top


def highest(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the positions of the k highest of a row of scores, in no particular order.

    A sample of the scores gives a lower bound of the highest scores. Only the scores above this bound are
    partitioned. With 106,574 scores, this takes a tenth of the time of `numpy.argpartition` on all of them.
    """
    sample = scores[::_SAMPLED]
    rank = len(sample) - (3 * k // _SAMPLED + 8)
    if rank > 0:
        above = np.flatnonzero(scores >= np.partition(sample, rank)[rank])
        if len(above) >= k:
            return np.asarray(above[np.argpartition(scores[above], len(above) - k)[len(above) - k :]])
    return np.argpartition(scores, len(scores) - k)[len(scores) - k :]


def batches(rows: NDArray[Any], n_items: int) -> Iterator[NDArray[Any]]:
    """Divide rows into parts whose scores fit in memory."""
    size = max(1, BATCH_SCORES // n_items)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _hit_metrics(
    top: NDArray[np.int64], relevant: sparse.csr_matrix, scores: Matrix, *, tied_below: bool
) -> Metrics:
    n, depth = top.shape
    marked = np.zeros((n, relevant.shape[1] + 1), dtype=bool)  # one more column, for -1
    marked[np.repeat(np.arange(n), np.diff(relevant.indptr)), relevant.indices] = True
    hits = np.take_along_axis(marked, top, axis=1).astype(np.float64)
    _share_ties(hits, top, marked[:, :-1], scores, tied_below=tied_below)
    sizes = np.diff(relevant.indptr)
    gains = 1 / np.log2(np.arange(2, depth + 2))
    ideal = np.concatenate([[0.0], np.cumsum(gains)])
    found = np.cumsum(hits, axis=1)
    precision_there = found / np.arange(1, depth + 1)

    def ndcg(k: int) -> NDArray[np.float64]:
        return np.asarray((hits[:, :k] @ gains[:k]) / ideal[np.minimum(sizes, min(k, depth))])

    def hit(k: int) -> NDArray[np.float64]:
        return np.asarray(found[:, min(k, depth) - 1])

    return {
        "ndcg@10": ndcg(10),
        "ndcg@100": ndcg(100),
        "recall@20": hit(20) / sizes,
        "recall@50": hit(50) / sizes,
        "map@100": (hits * precision_there).sum(axis=1) / np.minimum(sizes, depth),
        "precision@10": hit(10) / 10,
    }


def _share_ties(
    hits: NDArray[np.float64],
    top: NDArray[np.int64],
    marked: NDArray[np.bool_],
    scores: Matrix,
    *,
    tied_below: bool,
) -> None:
    """Replace the hits of equal scores by their mean, in place.

    With `tied_below`, the last tie of a full list includes the tracks below the list that have the same score.
    """
    there = top >= 0
    values = np.take_along_axis(scores, np.maximum(top, 0), axis=1)
    tied = (values[:, 1:] == values[:, :-1]) & there[:, 1:]
    lowest = values[:, -1:]
    cut = there[:, -1] & ((scores == lowest).sum(axis=1) > (values == lowest).sum(axis=1)) & tied_below
    for row in np.flatnonzero(tied.any(axis=1) | cut):
        length = int(there[row].sum())
        starts = np.flatnonzero(np.append(True, ~tied[row, : length - 1]))
        sizes = np.diff(np.append(starts, length))
        means = np.add.reduceat(hits[row, :length], starts) / sizes
        if cut[row]:
            means[-1] = marked[row, scores[row] == lowest[row]].mean()
        hits[row, :length] = np.repeat(means, sizes)


def interval(values: NDArray[np.float64], *, seed: int = 0, resamples: int = 1000) -> tuple[float, float]:
    """Return the 95 % interval of the mean over listeners, by the percentile bootstrap (Efron 1979).

    Without listeners both bounds are 0.
    """
    if not len(values):
        return 0.0, 0.0
    random = np.random.default_rng(seed)
    drawn = [values[random.integers(len(values), size=len(values))].mean() for _ in range(resamples)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
