"""Simulate comparisons of a challenger with the champion, in which somebody looks at the bounds every day.

    python benchmarks/online.py aa       1,000 comparisons of two equal models: how often one is decided
    python benchmarks/online.py power    how soon a better challenger is found

Each simulated listener has a taste of their own, a number of plays of their own, and a preference of their own
between the two models. Every day, each gets a new list by Segue's own team draft, and plays some of it, the first
tracks more often than the last ones. The first day on which the bounds decide ends the comparison.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

import numpy as np
import typer

from segue.recommender.online.assignment import coins
from segue.recommender.online.comparison import Comparison, Verdict
from segue.recommender.online.interleaving import Team, team_draft

COUNT, CATALOGUE = 25, 200
FIRST = date(2026, 1, 1)
APART = 0.5
"""Standard deviation of the listeners' preferences, as the logarithm of odds."""

app = typer.Typer(help=__doc__)


def lists(random: np.random.Generator) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Draw the lists of two models that agree on half of their tracks."""
    shared = random.choice(CATALOGUE, COUNT, replace=False)
    other = random.choice(CATALOGUE, COUNT, replace=False)
    mixed = np.where(random.random(COUNT) < 0.5, shared, other)
    return tuple(  # type: ignore[return-value] # two lists
        [
            {"track_id": f"t{track}", "title": f"t{track}", "artist": f"a{track}"}
            for track in dict.fromkeys(ranking)
        ]
        for ranking in (shared.tolist(), mixed.tolist())
    )


def compare(listeners: int, days: int, better: float, seed: int) -> tuple[Verdict, int]:
    """Simulate a comparison, and return its verdict and on which day it came.

    Parameters
    ----------
    listeners, days : int
    better : float
        How many times as often a track of the challenger's is played as one of the champion's, in the median.
    seed : int
    """
    random = np.random.default_rng(seed)
    rate = random.gamma(1.0, 0.03, listeners)  # probability of playing the first track of a list
    liking = better * np.exp(random.normal(0, APART, listeners))
    played = np.zeros((2, listeners), dtype=int)
    interest = 1 / np.log2(np.arange(COUNT) + 2)
    for day in range(days):
        for listener in range(listeners):
            tosses = coins(f"{seed}/{listener}", "recommender/2", FIRST + timedelta(day))
            drafted = team_draft(*lists(random), tosses, count=COUNT, per_artist=COUNT)
            odds = {Team.CHAMPION: 1.0, Team.CHALLENGER: liking[listener], None: 1.0}
            chance = rate[listener] * interest[: len(drafted)] * np.array([odds[team] for _, team in drafted])
            for (_, team), yes in zip(drafted, random.random(len(drafted)) < chance, strict=True):
                if yes and team:
                    played[int(team is Team.CHALLENGER), listener] += 1
        verdict = Comparison(played[0].tolist(), played[1].tolist()).verdict()
        if verdict is not Verdict.OPEN:
            return verdict, day + 1
    return Verdict.OPEN, days


@app.command()
def aa(
    comparisons: int = 1_000, listeners: int = 60, days: int = 30, seed: Annotated[int, typer.Option()] = 0
) -> None:
    """Count how often a comparison of two equal models is decided. The goal is at most 5 %."""
    verdicts = [compare(listeners, days, 1.0, seed + number)[0] for number in range(comparisons)]
    false = comparisons - verdicts.count(Verdict.OPEN)
    print(f"{comparisons:,} comparisons of equal models, {listeners} listeners, {days} days, a look every day:")
    print(f"{false} decided ({false / comparisons:.1%}).")


@app.command()
def power(comparisons: int = 20, days: int = 60, seed: int = 0) -> None:
    """Measure how often and how soon a better challenger is found."""
    print("| listeners | times as often played | found better | found worse | days, median |")
    print("|---:|---:|---:|---:|---:|")
    for listeners in (30, 100, 300):
        for better in (1.2, 1.5, 2.0):
            found = [compare(listeners, days, better, seed + number) for number in range(comparisons)]
            soon = [day for verdict, day in found if verdict is Verdict.BETTER]
            worse = sum(verdict is Verdict.WORSE for verdict, _ in found)
            median = f"{np.median(soon):.0f}" if soon else "—"
            print(
                f"| {listeners} | {better:.1f} | {len(soon) / comparisons:.0%} | {worse / comparisons:.0%} "
                f"| {median} |",
                flush=True,
            )


if __name__ == "__main__":
    app()
