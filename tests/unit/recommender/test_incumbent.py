"""The champion's recipe, fitted again, against the search's choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.recommender.test_report import fit, plays

from segue.recommender import comparison, incumbent
from segue.recommender.comparison import Comparison
from segue.recommender.evaluation.windows import Split, by_time
from segue.recommender.interactions import Interactions
from segue.recommender.recipe import Recipe
from segue.recommender.reports import SEGUE

__all__ = ["plays"]  # the fixture


@pytest.fixture(scope="module")
def split(plays: Interactions) -> Split:
    return by_time(plays)


@pytest.fixture(scope="module")
def good(split: Split) -> Recipe:
    return comparison.compare(fit, split, None, trials=3, say=str).recipe


@pytest.fixture(scope="module")
def poor(good: Recipe) -> Recipe:
    """What everybody plays, for listeners of four tastes."""
    return replace(good, weights={name: float(name == "popularity") for name in good.weights})


def compared(split: Split, chosen: Recipe, champion: Recipe, patch: pytest.MonkeyPatch) -> Comparison:
    patch.setattr(comparison, "choose", lambda *_, **__: chosen)
    found = comparison.compare(fit, split, None, others={incumbent.REFITTED: champion}, say=str)
    assert incumbent.REFITTED not in (SEGUE, found.rival), "it is no baseline"
    return found


def test_a_choice_that_may_be_worse_leaves_the_champions_recipe_fitted_again(
    split: Split, good: Recipe, poor: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = compared(split, poor, good, monkeypatch)
    after = incumbent.settled(before, good)
    assert after.recipe is good
    reached = {row.model: row.metrics["ndcg@10"] for row in before.rows if row.task == "new tracks"}
    now = {row.model: row.metrics["ndcg@10"] for row in after.rows if row.task == "new tracks"}
    assert now[SEGUE] == reached[incumbent.REFITTED] > reached[SEGUE] == now[incumbent.CHOSEN]
    gain = after.judged[SEGUE].values["ndcg@10"] - after.judged["popularity"].values["ndcg@10"]
    assert after.gains["popularity"][0] == pytest.approx(np.mean(gain))
    assert after.will_listen == before.will_listen_of_others[incumbent.REFITTED]
    assert "fitted again and kept, because the search's choice may be" in str(incumbent.in_a_sentence(after))


def test_a_choice_that_is_no_worse_stays(
    split: Split, good: Recipe, poor: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for champion in (poor, good):
        found = compared(split, good, champion, monkeypatch)
        assert incumbent.settled(found, champion) is found
        assert found.recipe is good
        assert "minus the champion's recipe, fitted again" in str(incumbent.in_a_sentence(found))


def test_without_a_champion_nothing_is_said(split: Split, good: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "choose", lambda *_, **__: good)
    assert incumbent.in_a_sentence(comparison.compare(fit, split, None, say=str)) is None
