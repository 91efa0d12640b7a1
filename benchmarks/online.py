"""Simulate comparisons of a challenger with the champion, in which somebody looks at the bounds every day.

    python benchmarks/online.py aa       1,000 comparisons of two equal models: how often one is decided
    python benchmarks/online.py power    how soon a better challenger is found

Each simulated listener plays a number of recommended tracks of their own, and has a preference of their own
between the two models. Every day, each gets a list that was interleaved by Segue's team draft, and plays some of
it, the first tracks more often than the last ones. The first day on which the bounds decide ends the comparison.
"""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import typer
from numpy.typing import NDArray

from segue.recommender.online.comparison import Comparison, Verdict
from segue.recommender.online.interleaving import Team, team_draft

COUNT, CATALOGUE, DRAFTS = 25, 200, 2_000
APART = 0.5
"""Standard deviation of the listeners' preferences, as the logarithm of odds."""
PLAYED = 0.03
"""Mean probability that a listener plays the first track of a list."""

app = typer.Typer(help=__doc__)


@cache
def drafts() -> NDArray[np.int8]:
    """Interleave lists of two models that agree on about half of their tracks.

    Returns
    -------
    ndarray of int8, shape (2 * DRAFTS, COUNT)
        1 where the challenger has picked the track, -1 where the champion has, 0 where nobody has. Each draft
        comes with its mirror image, so that the coins are exactly fair.
    """
    sides = {Team.CHALLENGER: 1, Team.CHAMPION: -1, None: 0}
    found = []
    for seed in range(DRAFTS):
        draw = random.Random(seed)
        shared, other = (draw.sample(range(CATALOGUE), COUNT) for _ in range(2))
        mixed = [first if draw.random() < 0.5 else second for first, second in zip(shared, other, strict=True)]
        ranked = (
            [
                {"track_id": f"t{track}", "title": f"t{track}", "artist": f"a{track}"}
                for track in dict.fromkeys(each)
            ]
            for each in (shared, mixed)
        )
        drafted = [sides[team] for _, team in team_draft(*ranked, draw, count=COUNT, per_artist=COUNT)]
        found.append(drafted + [0] * (COUNT - len(drafted)))
    teams = np.array(found, dtype=np.int8)
    return np.concatenate([teams, -teams])


def compare(listeners: int, days: int, better: float, seed: int, apart: float = APART) -> tuple[Verdict, int]:
    """Simulate a comparison, and return its verdict and on which day it came.

    Parameters
    ----------
    listeners, days : int
    better : float
        How many times as often a track of the challenger's is played as one of the champion's, in the median.
    seed : int
    apart : float
        How far the listeners' preferences are apart, as `APART`.
    """
    draw = np.random.default_rng(seed)
    rate = draw.gamma(1.0, PLAYED, listeners)[:, None] / np.log2(np.arange(COUNT) + 2)
    liking = np.sqrt(better * np.exp(draw.normal(0, apart, listeners)))[:, None]
    champion, challenger = np.zeros(listeners, dtype=int), np.zeros(listeners, dtype=int)
    for day in range(1, days + 1):
        teams = drafts()[draw.integers(2 * DRAFTS, size=listeners)]
        played = draw.random(teams.shape) < rate * np.where(teams == 1, liking, 1 / liking)
        champion += (played & (teams == -1)).sum(axis=1)
        challenger += (played & (teams == 1)).sum(axis=1)
        verdict = Comparison(champion.tolist(), challenger.tolist()).verdict()
        if verdict is not Verdict.OPEN:
            return verdict, day
    return Verdict.OPEN, days


@app.command()
def aa(comparisons: int = 1_000, days: int = 60, apart: float = APART, seed: int = 0) -> None:
    """Count how often a comparison of two equal models is decided. The goal is at most 5 %."""
    print(f"{comparisons:,} comparisons of equal models, a look on each of {days} days:\n")
    print("| listeners | challenger found better | champion found better | decided |\n|---:|---:|---:|---:|")
    for listeners in (100, 300, 1_000):
        verdicts = [compare(listeners, days, 1.0, seed + number, apart)[0] for number in range(comparisons)]
        shares = [verdicts.count(each) / comparisons for each in (Verdict.BETTER, Verdict.WORSE)]
        print(f"| {listeners:,} | {shares[0]:.1%} | {shares[1]:.1%} | {sum(shares):.1%} |", flush=True)


@app.command()
def power(comparisons: int = 200, days: int = 60, seed: int = 0) -> None:
    """Measure how often and how soon a better challenger is found."""
    print("| listeners | times as often played | found better | found worse | days, median |")
    print("|---:|---:|---:|---:|---:|")
    for listeners in (100, 300, 1_000):
        for better in (1.1, 1.2, 1.5, 2.0):
            found = [compare(listeners, days, better, seed + number) for number in range(comparisons)]
            soon = [day for verdict, day in found if verdict is Verdict.BETTER]
            worse = sum(verdict is Verdict.WORSE for verdict, _ in found)
            median = f"{np.median(soon):.0f}" if soon else "—"
            shares = f"{len(soon) / comparisons:.0%} | {worse / comparisons:.0%}"
            print(f"| {listeners:,} | {better:.1f} | {shares} | {median} |", flush=True)


if __name__ == "__main__":
    app()
