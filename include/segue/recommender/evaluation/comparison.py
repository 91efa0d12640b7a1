"""The product against its baselines, on a window that decided nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from segue.recommender.components import neighbours
from segue.recommender.components.blend import Blend
from segue.recommender.components.popularity import Habit, Popularity
from segue.recommender.evaluation import classification
from segue.recommender.evaluation.metrics import FEW, Judged, Matrix, Scorer, Task, interval, judge, judge_tasks
from segue.recommender.evaluation.windows import Split, Window
from segue.recommender.recipe import COSINE_KEPT, TRIALS, Audio, Fit, Recipe, Say, Tried, choose, related

PRODUCT = "Segue"

LISTENERS = 5_000
"""So many listeners are judged by, chosen at random; all where there are fewer."""

Gain = tuple[float, float, float]


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
    """What is reported.

    Parameters
    ----------
    how : str
        How the plays were divided.
    rows : sequence of Row
    rival : str
        The baseline of the highest NDCG@10 on new tracks.
    gains : dict of str to tuple of float
        By baseline: mean paired difference in NDCG@10 of the product over it, and its 95 % interval.
    will_listen : dict of str to float
    recipe : Recipe
    tried : dict of Hyperparameters to float
        What ALS reached on the validation window, in NDCG@10.
    """

    how: str
    rows: Sequence[Row]
    rival: str
    gains: dict[str, Gain]
    will_listen: dict[str, float]
    recipe: Recipe
    tried: Tried = field(default_factory=dict)

    def row(self, task: str, model: str) -> Row | None:
        """Find one row."""
        return next((row for row in self.rows if (row.task, row.model) == (task, model)), None)


def compare(fit: Fit, split: Split, audio: Audio | None, *, trials: int = TRIALS, say: Say = print) -> Comparison:
    """Choose on the validation window, build from all that came before the test window, and judge there once."""
    tried: Tried = {}
    recipe = choose(fit, split.validation, audio, trials=trials, say=say, tried=tried)
    test = split.test
    factors = fit(test.history, recipe.als)
    ease = neighbours.ease(test.history, regularization=recipe.ease_regularization)
    relations = related(test.history, recipe, ease)
    product = recipe.blend(factors, relations, test.history, audio)

    def familiar(scores: Matrix, history: sparse.csr_matrix) -> Matrix:
        weights = {"blend": 1 - recipe.habit, "habit": recipe.habit}
        return Blend({"blend": _Given(scores), "habit": Habit()}, weights).scores(history)

    # Each rival goes when it is judged: those of a large catalogue take a gigabyte.
    rivals: dict[str, Callable[[], Scorer]] = {
        "popularity": lambda: Popularity.of(test.history),
        "item cosine": lambda: neighbours.cosine(test.history, kept=COSINE_KEPT),
        "EASE": lambda: ease,
        "ALS": lambda: factors,
    }
    if audio is not None:
        rivals["content only"] = lambda: audio.relations
    tasks = [Task.NEW, Task.COLD]
    if test.history.multiply(test.future).nnz:
        tasks.append(Task.REPEAT)
    rows: list[Row] = []
    judged: dict[str, Judged] = {}
    listeners = np.arange(test.history.shape[0])
    if len(listeners) > LISTENERS:
        listeners = np.sort(np.random.default_rng(0).choice(listeners, LISTENERS, replace=False))
    few = np.flatnonzero(np.diff(test.history.indptr) < FEW)
    if Task.REPEAT in tasks:
        rows.append(_row("repeats", "own counts", judge(Habit(), test, Task.REPEAT, listeners=listeners)))
    for name, make in (rivals | {PRODUCT: lambda: product}).items():
        blended = familiar if name == PRODUCT else None
        found = judge_tasks(make(), test, tasks, listeners=listeners, familiar=blended, what=f"Judging {name}")
        say(f"judged {name} by {len(found[Task.NEW].listeners):,} listeners")
        judged[name] = found[Task.NEW]
        rows.append(_row("new tracks", name, judged[name]))
        rows.append(_row("new tracks, cold listeners", name, judged[name].among(few)))
        rows.append(_row("cold tracks", name, found[Task.COLD]))
        if Task.REPEAT in tasks:
            rows.append(_row("repeats", name, found[Task.REPEAT]))
    order = ["new tracks", "new tracks, cold listeners", "cold tracks", "repeats"]
    rival = max(rivals, key=lambda name: judged[name].means()["ndcg@10"])
    return Comparison(
        split.how,
        sorted((row for row in rows if row.listeners), key=lambda row: order.index(row.task)),
        rival,
        {name: _gain(judged[PRODUCT], judged[name]) for name in rivals},
        classification.will_listen(product, test, _listeners(test), recipe.threshold),
        recipe,
        tried,
    )


def average(comparisons: Sequence[Comparison]) -> Comparison:
    """Average comparisons of several seeds, figure by figure; the recipe shown is the first's."""
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
    """Scores that are there already."""

    given: Matrix

    def scores(self, history: sparse.csr_matrix) -> Matrix:
        del history  # they are of its listeners
        return self.given.copy()


def _gain(product: Judged, rival: Judged) -> Gain:
    difference = product.values["ndcg@10"] - rival.values["ndcg@10"]
    return (float(difference.mean()) if len(difference) else 0.0, *interval(difference))


def _row(task: str, model: str, judged: Judged) -> Row:
    return Row(task, model, len(judged.listeners), judged.means(), *interval(judged.values["ndcg@10"]))


def _listeners(window: Window) -> np.ndarray:
    """Choose the listeners that have a history to be judged by."""
    return np.flatnonzero(np.diff(window.history.indptr))
