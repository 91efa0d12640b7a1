"""Compare Segue's blend with its baselines on a test window. No choice was made on this window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
from scipy import sparse

from segue.recommender import baselines
from segue.recommender.baselines import Fitted
from segue.recommender.components import neighbours
from segue.recommender.components.blend import Blend
from segue.recommender.components.graph import GraphFilter
from segue.recommender.components.popularity import Habit, WithFallback
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
from segue.recommender.recipe import TRIALS, Audio, Fit, Recipe, Say, Tried, choose, related
from segue.recommender.reports import SEGUE

LISTENERS = 5_000
"""Models are compared by at most this many listeners, drawn at random."""

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
        By baseline or other recipe: the blend's NDCG@10 minus that one's, averaged over the listeners.
    will_listen : dict of str to float
        Metrics of the score as a classifier: see :func:`.classification.will_listen`.
    recipe : Recipe
    tried : dict of Hyperparameters to float
        NDCG@10 of ALS alone on the validation window, by its parameters.
    judged : dict of str to RankingMetrics
        By model: the metrics of each listener on new tracks. Differences of them are paired.
    will_listen_of_others : dict of str to dict of str to float
        As `will_listen`, by the name of another recipe.
    """

    how: str
    rows: Sequence[Row]
    rival: str
    gains: dict[str, Gain]
    will_listen: dict[str, float]
    recipe: Recipe
    tried: Tried = field(default_factory=dict)
    judged: dict[str, RankingMetrics] = field(default_factory=dict)
    will_listen_of_others: dict[str, dict[str, float]] = field(default_factory=dict)

    def row(self, task: str, model: str) -> Row | None:
        """Find one row."""
        return next((row for row in self.rows if (row.task, row.model) == (task, model)), None)


def compare(
    fit: Fit,
    split: Split,
    audio: Audio | None,
    *,
    others: Mapping[str, Recipe] = MappingProxyType({}),
    trials: int = TRIALS,
    seed: int = 0,
    say: Say = print,
) -> Comparison:
    """Choose a recipe on the validation window, and compare it with the baselines on the test window.

    For the comparison, the recipe is fitted to all plays before the test window.

    Parameters
    ----------
    fit : callable
        Fits ALS.
    split : Split
    audio : Audio or None
    others : mapping of str to Recipe, optional
        Further recipes that are fitted to the same plays and compared, by the name of their rows. They are no
        baselines.
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
    popular = recipe.popularity(test.train, test.timeline)
    blended = recipe.blend(factors, relations, test.train, audio, test.timeline)

    def familiar(habit: float, scores: Matrix, play_counts: sparse.csr_matrix) -> Matrix:
        weights = {"blend": 1 - habit, "habit": habit}
        return Blend({"blend": _Given(scores), "habit": Habit()}, weights).score(play_counts)

    rivals = baselines.of(split, recipe, Fitted(factors, ease, graph, popular), audio, say)
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
    recipes = {**others, SEGUE: recipe}
    wills: dict[str, dict[str, float]] = {}
    models: dict[str, Callable[[], Scorer]] = rivals | {
        name: partial(each.fit_blend, fit, test.train, audio, test.timeline) for name, each in others.items()
    }
    for name, make in (models | {SEGUE: lambda: blended}).items():
        model = make()
        repeats = partial(familiar, recipes[name].habit) if name in recipes else None
        found = evaluate_rankings(
            WithFallback(model, popular),
            test,
            tasks,
            listeners=listeners,
            familiar=repeats,
            what=f"Evaluating {name}",
        )
        if name in recipes:
            wills[name] = classification.will_listen(model, test, _listeners(test), recipes[name].threshold)
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
        {name: gain_of(evaluated[SEGUE], evaluated[name]) for name in evaluated if name != SEGUE},
        wills.pop(SEGUE),
        recipe,
        tried,
        evaluated,
        wills,
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

    def score(self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None) -> Matrix:
        del play_counts, session
        return self.given.copy()


def gain_of(segue: RankingMetrics, rival: RankingMetrics) -> Gain:
    """Return the mean difference in NDCG@10 of the same listeners, with its 95 % interval."""
    difference = segue.values["ndcg@10"] - rival.values["ndcg@10"]
    return (float(difference.mean()) if len(difference) else 0.0, *interval(difference))


def _row(task: str, model: str, metrics: RankingMetrics) -> Row:
    return Row(task, model, len(metrics.listeners), metrics.means(), *interval(metrics.values["ndcg@10"]))


def _listeners(window: Window) -> np.ndarray:
    """Return the listeners who have training plays."""
    return np.flatnonzero(np.diff(window.train.indptr))
