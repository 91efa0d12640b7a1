"""Compare Segue's blend with its baselines on a test window. No choice was made on this window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy import sparse

from segue.recommender.components import neighbours
from segue.recommender.components.blend import Blend, sample_listeners
from segue.recommender.components.graph import GraphFilter
from segue.recommender.components.popularity import Habit, Popularity, WithFallback
from segue.recommender.components.random_walk import walk
from segue.recommender.evaluation import classification
from segue.recommender.evaluation.metrics import (
    FEW,
    Matrix,
    RankingMetrics,
    Scorer,
    Task,
    evaluate_ranking,
    evaluate_rankings,
    interval,
)
from segue.recommender.evaluation.windows import Split, Window
from segue.recommender.recipe import COSINE_KEPT, TRIALS, Audio, Fit, Recipe, Say, Tried, choose, related
from segue.recommender.reports import SEGUE

LISTENERS = 5_000
"""Models are compared by at most this many listeners, drawn at random."""

ALPHAS, BETAS = (1.0, 0.6, 1.5), (0.6, 0.3, 0.9)
"""Parameters of RP3β that are tried: first each β with the first α, then each α with the best β."""

WALKED_PAIRS = 2_000_000
"""With more pairs of listener and track, RP3β is left out: its search would take longer than the training."""

Gain = tuple[float, float, float]
"""Mean difference in NDCG@10, and the bounds of its 95 % interval."""


@dataclass(frozen=True)
class Row:
    """One model on one task; `low` and `high` bound the mean NDCG@10 (95 %, bootstrap over listeners)."""

    task: str
    model: str
    listeners: int
    metrics: dict[str, float]
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """How Segue's blend and the baselines rank, on several tasks.

    Parameters
    ----------
    how : str
        How the plays were divided.
    rows : sequence of Row
    rival : str
        The baseline with the highest NDCG@10 on new tracks.
    gains : dict of str to tuple of float
        By baseline: the blend's NDCG@10 minus the baseline's, averaged over the listeners.
    will_listen : dict of str to float
        Metrics of the score as a classifier: see :func:`.classification.will_listen`.
    recipe : Recipe
    tried : dict of Hyperparameters to float
        NDCG@10 of ALS alone on the validation window, by its parameters.
    judged : dict of str to RankingMetrics
        By model: the metrics of each listener on new tracks. Differences of them are paired.
    """

    how: str
    rows: Sequence[Row]
    rival: str
    gains: dict[str, Gain]
    will_listen: dict[str, float]
    recipe: Recipe
    tried: Tried = field(default_factory=dict)
    judged: dict[str, RankingMetrics] = field(default_factory=dict)

    def row(self, task: str, model: str) -> Row | None:
        """Find one row."""
        return next((row for row in self.rows if (row.task, row.model) == (task, model)), None)


def compare(
    fit: Fit, split: Split, audio: Audio | None, *, trials: int = TRIALS, seed: int = 0, say: Say = print
) -> Comparison:
    """Choose a recipe on the validation window, and compare it with the baselines on the test window.

    For the comparison, the recipe is fitted to all plays before the test window.

    Parameters
    ----------
    fit : callable
        Fits ALS.
    split : Split
    audio : Audio or None
    trials : int
        How many sets of ALS parameters are tried.
    seed : int
        Seed for the sets of ALS parameters that are tried.
    say : callable
        Receives a line for each step.
    """
    tried: Tried = {}
    recipe = choose(fit, split.validation, audio, trials=trials, seed=seed, say=say, tried=tried)
    test = split.test
    factors = fit(test.train, recipe.als)
    ease = neighbours.ease(test.train, regularization=recipe.ease_regularization)
    rank = recipe.graph_rank or 1
    graph = GraphFilter.of(test.train, vectors=rank).fit(rank)
    relations = related(test.train, recipe, ease, graph)
    popular = Popularity.fit(test.train, test.last, recipe.popularity_half_life_days)
    blended = recipe.blend(factors, relations, test.train, audio, test.last)

    def familiar(scores: Matrix, play_counts: sparse.csr_matrix) -> Matrix:
        weights = {"blend": 1 - recipe.habit, "habit": recipe.habit}
        return Blend({"blend": _Given(scores), "habit": Habit()}, weights).score(play_counts)

    # Each rival has the parameters that were chosen for Segue's own component of its kind; RP3beta, which is none,
    # has its own search. A rival is built when it is evaluated, and freed afterwards. In a large catalogue, each
    # takes a gigabyte.
    rivals: dict[str, Callable[[], Scorer]] = {
        "popularity": lambda: Popularity.fit(test.train),
        "item cosine": lambda: neighbours.cosine(test.train, balance=recipe.cosine_balance, kept=COSINE_KEPT),
        "EASE": lambda: ease,
        "GF-CF": lambda: graph,
        "ALS": lambda: factors,
    }
    if test.train.nnz <= WALKED_PAIRS:
        alpha, beta = _tune_walk(split.validation, say)
        rivals["RP3beta"] = lambda: walk(test.train, alpha=alpha, beta=beta, kept=COSINE_KEPT)
    if recipe.popularity_half_life_days is not None:
        rivals["recent popularity"] = lambda: popular
    if audio is not None:
        rivals["content only"] = lambda: audio.relations
    tasks = [Task.NEW, Task.COLD]
    if test.train.multiply(test.held_out).nnz:
        tasks.append(Task.REPEAT)
    rows: list[Row] = []
    evaluated: dict[str, RankingMetrics] = {}
    listeners = np.arange(test.train.shape[0])
    if len(listeners) > LISTENERS:
        listeners = np.sort(np.random.default_rng(0).choice(listeners, LISTENERS, replace=False))
    known = np.diff(test.train.indptr)
    groups = {
        "new tracks, listeners with history": np.flatnonzero(known),
        "new tracks, cold listeners": np.flatnonzero((known > 0) & (known < FEW)),
        "new tracks, listeners without history": np.flatnonzero(known == 0),
    }
    if Task.REPEAT in tasks:
        rows.append(
            _row("repeats", "own counts", evaluate_ranking(Habit(), test, Task.REPEAT, listeners=listeners))
        )
    for name, make in (rivals | {SEGUE: lambda: blended}).items():
        repeats = familiar if name == SEGUE else None
        found = evaluate_rankings(
            WithFallback(make(), popular),
            test,
            tasks,
            listeners=listeners,
            familiar=repeats,
            what=f"Evaluating {name}",
        )
        say(f"evaluated {name} by {len(found[Task.NEW].listeners):,} listeners")
        evaluated[name] = found[Task.NEW]
        rows.append(_row("new tracks", name, evaluated[name]))
        rows += [_row(task, name, evaluated[name].among(group)) for task, group in groups.items()]
        rows.append(_row("cold tracks", name, found[Task.COLD]))
        if Task.REPEAT in tasks:
            rows.append(_row("repeats", name, found[Task.REPEAT]))
    order = ["new tracks", *groups, "cold tracks", "repeats"]
    rival = max(rivals, key=lambda name: evaluated[name].means()["ndcg@10"])
    return Comparison(
        split.how,
        sorted((row for row in rows if row.listeners), key=lambda row: order.index(row.task)),
        rival,
        {name: _gain(evaluated[SEGUE], evaluated[name]) for name in rivals},
        classification.will_listen(blended, test, _listeners(test), recipe.threshold),
        recipe,
        tried,
        evaluated,
    )


def in_words(gain: Gain) -> str:
    """Say what the interval of a difference shows."""
    _, low, high = gain
    return "better" if low > 0 else "worse" if high < 0 else "no difference shown"


def average(comparisons: Sequence[Comparison]) -> Comparison:
    """Average the figures of comparisons with several seeds. The recipe is that of the first."""
    first = comparisons[0]
    rows = []
    for row in first.rows:
        same = [found for each in comparisons if (found := each.row(row.task, row.model))]
        metrics = {name: float(np.mean([r.metrics[name] for r in same])) for name in row.metrics}
        low, high = (float(np.mean([getattr(r, side) for r in same])) for side in ("low", "high"))
        rows.append(Row(row.task, row.model, round(np.mean([r.listeners for r in same])), metrics, low, high))
    gains: dict[str, Gain] = {}
    for name in first.gains:
        mean, low_, high_ = np.mean([each.gains[name] for each in comparisons], axis=0).tolist()
        gains[name] = (mean, low_, high_)
    will = {name: float(np.mean([each.will_listen[name] for each in comparisons])) for name in first.will_listen}
    how = f"{first.how}, mean of {len(comparisons)} seeds"
    reached = {row.model: row.metrics["ndcg@10"] for row in rows if row.task == "new tracks"}
    rival = max(gains, key=lambda name: reached.get(name, 0.0))
    return Comparison(how, rows, rival, gains, will, first.recipe, first.tried)


@dataclass(frozen=True)
class _Given:
    """Returns scores that were computed before, for the same listeners."""

    given: Matrix

    def score(self, play_counts: sparse.csr_matrix) -> Matrix:
        del play_counts
        return self.given.copy()


def _tune_walk(window: Window, say: Say) -> tuple[float, float]:
    """Choose α and β of RP3β on the validation window."""
    rows = sample_listeners(window)

    @cache
    def reached(alpha: float, beta: float) -> float:
        relations = walk(window.train, alpha=alpha, beta=beta, kept=COSINE_KEPT)
        return evaluate_ranking(relations, window, listeners=rows).means()["ndcg@10"]

    beta = max(BETAS, key=lambda beta: reached(ALPHAS[0], beta))
    alpha = max(ALPHAS, key=lambda alpha: reached(alpha, beta))
    say(f"RP3beta: α = {alpha:g}, β = {beta:g}")
    return alpha, beta


def _gain(segue: RankingMetrics, rival: RankingMetrics) -> Gain:
    difference = segue.values["ndcg@10"] - rival.values["ndcg@10"]
    return (float(difference.mean()) if len(difference) else 0.0, *interval(difference))


def _row(task: str, model: str, metrics: RankingMetrics) -> Row:
    return Row(task, model, len(metrics.listeners), metrics.means(), *interval(metrics.values["ndcg@10"]))


def _listeners(window: Window) -> np.ndarray:
    """Return the listeners who have training plays."""
    return np.flatnonzero(np.diff(window.train.indptr))
