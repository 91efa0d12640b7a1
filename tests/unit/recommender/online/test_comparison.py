from __future__ import annotations

import numpy as np
import pytest

from segue.recommender.online.comparison import FEWEST, Comparison, Verdict
from segue.recommender.online.interleaving import Team


def of(champion: float, challenger: float, listeners: int = 200) -> Comparison:
    random = np.random.default_rng(0)
    return Comparison(random.poisson(champion, listeners).tolist(), random.poisson(challenger, listeners).tolist())


@pytest.mark.parametrize(
    ("champion", "challenger", "verdict"),
    [(2, 4, Verdict.BETTER), (4, 2, Verdict.WORSE), (3, 3, Verdict.OPEN)],
)
def test_the_bounds_decide(champion, challenger, verdict):
    found = of(champion, challenger)
    assert found.verdict() is verdict
    assert str(verdict) in found.in_words()


def test_nothing_is_decided_by_few_listeners():
    found = Comparison([0] * (FEWEST - 1), [50] * (FEWEST - 1))
    assert found.verdict() is Verdict.OPEN
    assert "too little to decide" in found.in_words()


@pytest.mark.parametrize("listeners", [0, 1, 500])
def test_listeners_who_play_nothing_show_nothing(listeners):
    found = Comparison([0] * listeners, [0] * listeners)
    assert found.verdict() is Verdict.OPEN
    assert found.advantage()[0] == 0
    assert "too little to decide" in found.in_words()


def test_the_advantage_is_the_difference_of_the_shares():
    found = Comparison.of([{Team.CHALLENGER: 3}, {Team.CHALLENGER: 3, Team.CHAMPION: 2}, {}])
    assert (found.listeners, found.plays) == (3, (2, 6))
    assert found.advantage()[0] == pytest.approx(0.5)
