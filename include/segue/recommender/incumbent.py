"""The champion's recipe, fitted again, against the recipe that the search has chosen.

A search sees one validation window, so its choice may be a lucky one. The champion's recipe was chosen before.
Both are fitted to the same plays. The new choice replaces the champion's only if it is surely not much worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

from segue.recommender.comparison import Comparison, Gain, gain_of
from segue.recommender.recipe import Recipe
from segue.recommender.reports import SEGUE

REFITTED: Final = "champion's recipe"
CHOSEN: Final = "the search's choice"
"""Names of the models in a comparison. The one that is promoted has the name `SEGUE`; the other has its own."""

MARGIN: Final = 0.01
"""A new choice may be worse by this share of NDCG@10, at the lower bound of its 95 % interval."""

Value = TypeVar("Value")


def settled(comparison: Comparison, champion: Recipe) -> Comparison:
    """Decide between the two recipes.

    Parameters
    ----------
    comparison : Comparison
        The search's choice has the name `SEGUE`, the champion's recipe the name `REFITTED`.
    champion : Recipe

    Returns
    -------
    Comparison
        The same comparison, in which the recipe that stays has the name `SEGUE`.
    """
    if is_good_enough(comparison):
        return comparison
    names = {SEGUE: CHOSEN, REFITTED: SEGUE}
    judged = _renamed(comparison.judged, names)
    return replace(
        comparison,
        rows=[replace(row, model=names.get(row.model, row.model)) for row in comparison.rows],
        gains={
            name: gain_of(judged[SEGUE], judged[name]) for name in _renamed(comparison.gains, {REFITTED: CHOSEN})
        },
        judged=judged,
        recipe=champion,
        will_listen=comparison.will_listen_of_others[REFITTED],
    )


def is_good_enough(comparison: Comparison) -> bool:
    """Return whether the search's choice is surely not much worse than the champion's recipe."""
    row = comparison.row("new tracks", REFITTED)
    return row is None or comparison.gains[REFITTED][1] > -MARGIN * row.metrics["ndcg@10"]


def is_kept(comparison: Comparison) -> bool:
    """Return whether the champion's recipe was fitted again and kept, instead of the search's choice."""
    return CHOSEN in comparison.gains


def in_a_sentence(comparison: Comparison) -> str | None:
    """Say which recipe was kept and why; None if there was no champion's recipe to compare with."""
    if REFITTED in comparison.gains:
        return (
            f"the search's choice minus the champion's recipe, fitted again: {_said(comparison.gains[REFITTED])}"
        )
    if is_kept(comparison):
        return (
            "the champion's recipe was fitted again and kept, because the search's choice may be more than "
            f"{MARGIN:.0%} worse: {_said(comparison.gains[CHOSEN])} for the champion's"
        )
    return None


def _said(gain: Gain) -> str:
    mean, low, high = gain
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def _renamed(values: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
    return {names.get(name, name): value for name, value in values.items()}
