"""Choices that need the times of plays: the half-life of popularity, and whether transitions join the blend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.recommender import search
from segue.recommender.components import blend
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.components.popularity import Popularity
from segue.recommender.components.transitions import Transitions, relate
from segue.recommender.evaluation import moments
from segue.recommender.evaluation.metrics import Scorer, evaluate_ranking
from segue.recommender.evaluation.windows import Window
from segue.recommender.timeline import DAY_S, Timeline

HALF_LIFE_SHARE = 0.25
"""First half-life that is tried, as a share of the time from the first to the last play."""

MEMORIES = (1.0, 4.0)
SHARES = (0.1, 0.25, 0.5)
"""Weights of transitions in the blend that are tried, besides 0."""


@dataclass(frozen=True)
class ChosenTransitions:
    """Transitions that join the blend.

    Parameters
    ----------
    component : Transitions
        Fitted to the plays before the validation window.
    half_life_days : float or None
        Half-life of the plays that it was fitted with.
    share : float
        Its weight. All weights sum to 1.
    """

    component: Transitions
    half_life_days: float | None
    share: float


def half_life(window: Window, ndcg: Callable[[Scorer], NDArray[np.float64]]) -> float | None:
    """Search for the half-life of popularity. Return None unless it surely ranks better than that of all times."""
    last = None if window.timeline is None else window.timeline.last
    if last is None or not last.age_days.any():
        return None
    ever = ndcg(Popularity.fit(window.train))
    reached: dict[float | None, NDArray[np.float64]] = {None: ever}

    def look(days: float) -> NDArray[np.float64]:
        reached[days] = ndcg(Popularity.fit(window.train, last, days))
        return reached[days]

    first = float(f"{HALF_LIFE_SHARE * last.age_days.max():.3g}")
    search.climb(first, lambda days, steps: days * 2.0**steps, look)
    return search.prefer(reached)


def transitions(
    components: Mapping[str, Scorer], weights: Mapping[str, float], window: Window, say: Callable[[str], None]
) -> ChosenTransitions | None:
    """Decide whether transitions join the blend, by what listeners play next in the sessions of the window.

    Parameters
    ----------
    components : mapping of str to Scorer
    weights : mapping of str to float
        Weights of `components`.
    window : Window
    say : callable
        Receives a line with the outcome.

    Returns
    -------
    ChosenTransitions or None
        None unless a share of the weights surely ranks better than none: see :func:`.search.prefer`.
    """
    drawn = moments.draw(window, blend.most_listeners(window.train.shape[1]))
    if window.timeline is None or drawn is None:
        say("transitions: none, because no session of the validation window goes on with a new track")
        return None
    days, relations = _related(window.timeline, drawn)
    others = {f"{memory:g}": Transitions(relations, memory) for memory in MEMORIES}
    tried = blend.with_shares(components, weights, others, SHARES, drawn.window)
    reached = {choice: drawn.by_listener(ndcg) for choice, ndcg in tried.items()}
    name, share = search.prefer(reached)
    without, now = next(iter(reached.values())).mean(), reached[name, share].mean()
    say(f"transitions: weight {share:g}; NDCG@10 of the rest of a session {without:.4f} without, {now:.4f} with")
    return ChosenTransitions(others[name], days, share) if share else None


def _related(timeline: Timeline, drawn: moments.Moments) -> tuple[float | None, Neighbours]:
    """Relate tracks with the half-life that ranks better; with none, unless another is surely better."""
    span_days = (timeline.at_s.max() - timeline.at_s.min()) / DAY_S
    tried = [None, float(f"{HALF_LIFE_SHARE * span_days:.3g}")] if span_days else [None]
    fitted = {days: relate(timeline, days) for days in tried}
    reached = {
        days: drawn.by_listener(
            evaluate_ranking(Transitions(relations, MEMORIES[-1]), drawn.window).values["ndcg@10"]
        )
        for days, relations in fitted.items()
    }
    chosen = search.prefer(reached)
    return chosen, fitted[chosen]
