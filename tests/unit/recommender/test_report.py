from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import numpy as np
import pytest
from scipy import sparse

from segue.recommender import comparison, incumbent
from segue.recommender.comparison import Comparison
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.factors import Factors
from segue.recommender.evaluation.windows import by_time
from segue.recommender.interactions import Interactions
from segue.recommender.report import Surroundings, page, verdict
from segue.recommender.reports import SEGUE
from segue.runs.history import Training

LISTENS = 2_000


def fit(play_counts: sparse.csr_matrix, parameters: Hyperparameters) -> Factors:
    """Stand in for MLlib: the strongest tastes by singular values."""
    items = np.linalg.svd((play_counts.toarray() > 0).astype(np.float32), full_matrices=False)[2][
        : parameters.rank
    ].T
    return Factors(np.ascontiguousarray(items), parameters.alpha, parameters.regularization)


@pytest.fixture(scope="module")
def plays(plays: sparse.csr_matrix) -> Interactions:
    """Listens in time of listeners with one taste each."""
    random = np.random.default_rng(3)
    rows, columns = plays.nonzero()
    drawn = random.integers(len(rows), size=LISTENS)
    return Interactions(
        rows[drawn].astype(np.int64),
        columns[drawn].astype(np.int64),
        np.ones(LISTENS, dtype=np.float32),
        np.sort(random.uniform(1_767_225_600, 1_772_323_200, LISTENS)),  # January and February 2026
        np.array([f"u{i}" for i in range(plays.shape[0])]),
        np.array([f"t{i}" for i in range(plays.shape[1])]),
    )


@pytest.fixture(scope="module")
def outcome(plays: Interactions) -> Comparison:
    return comparison.compare(fit, by_time(plays), None, trials=3, say=str)


@pytest.fixture(scope="module")
def html(outcome: Comparison, plays: Interactions) -> str:
    return page(outcome, plays, passed=True, champion="recommender/3")


def section_of(html: str, title: str) -> str:
    return html.split(f"<h2>{title}</h2>")[1].split("<h2>")[0]


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_every_model_of_every_task_is_shown_with_its_interval(html: str, outcome: Comparison) -> None:
    assert {row.task for row in outcome.rows} >= {"new tracks", "repeats"}
    for row in outcome.rows:
        section = section_of(html, row.task.capitalize())
        reached, interval = f"{row.metrics['ndcg@10']:.3f}", f"{row.low:.3f} to {row.high:.3f}"
        assert f" {row.model} {reached} {interval} " in text_of(section)
        assert f"{row.model} {reached} ({interval})" in " ".join(section.split()), "the figure's alt text"


def test_all_that_was_tried_and_chosen_is_shown(html: str, outcome: Comparison) -> None:
    assert len(outcome.tried) >= 3
    section = text_of(section_of(html, "ALS parameters tried"))
    for als, ndcg in outcome.tried.items():
        chosen = " yes" if als == outcome.recipe.als else ""
        row = f"{als.rank} {als.regularization:g} {als.alpha:g} {als.iterations} {ndcg:.3f}{chosen}"
        assert f" {row} " in f"{section} "
    for component, weight in outcome.recipe.weights.items():
        assert f"{component} {weight:.2f}" in html


def test_the_data_and_their_time_range_are_named(html: str, outcome: Comparison) -> None:
    facts = html.split("<dl>")[1].split("</dl>")[0]
    for fact in ("2,000", "120", "60, 60 of them played", "2026-01-01 0", "to 2026-02-2", outcome.rival):
        assert fact in facts
    assert outcome.how in facts


@pytest.mark.parametrize(
    ("passed", "champion", "gain", "begins"),
    [
        (True, "recommender/3", (0.1, 0.05, 0.15), "Promoted: it ranks new tracks better than popularity."),
        (True, None, (-0.01, -0.05, 0.03), "Promoted, although no difference from popularity is shown"),
        (False, "recommender/3", (-0.1, -0.15, -0.05), "Kept: recommender/3 goes on serving."),
        (False, None, (-0.1, -0.15, -0.05), "Popularity serves for now."),
    ],
)
def test_the_verdict_says_what_was_decided_and_why(
    outcome: Comparison, passed: bool, champion: str | None, gain: tuple[float, float, float], begins: str
) -> None:
    gains = {"popularity": gain, "EASE": (0.0, -0.5, 0.5)}
    said = text_of(
        verdict(replace(outcome, gains=gains, rival="EASE"), passed=passed, champion=champion).replace("−", "-")
    )
    assert said.startswith(begins)
    assert f"popularity's: {gain[0]:+.3f} (95 % interval {gain[1]:+.3f} to {gain[2]:+.3f})" in said
    assert (
        "minus that of EASE, the best baseline: +0.000 (95 % interval -0.500 to +0.500): no difference shown."
        in said
    )


def test_a_model_that_is_promoted_below_a_baseline_says_why(outcome: Comparison) -> None:
    worse = replace(outcome, rival="EASE", gains={"popularity": (0.1, 0.05, 0.2), "EASE": (-0.02, -0.03, -0.01)})
    said = "EASE has the higher mean in this test window, but it does not serve"
    assert said in verdict(worse, passed=True, champion=None)
    assert said not in verdict(worse, passed=False, champion=None)
    better = replace(worse, gains=worse.gains | {"EASE": (0.02, 0.01, 0.03)})
    assert said not in verdict(better, passed=True, champion=None)


@pytest.mark.parametrize(
    ("gain", "said", "blend", "als"),
    [
        (
            (0.004, -0.001, 0.009),
            "The champion's recipe was fitted again to the same listens, and the search's choice replaces it. "
            "NDCG@10 minus that of the champion's recipe: +0.004 (95 % interval -0.001 to +0.009).",
            "ranked the tracks of the validation window best",
            "",
        ),
        (
            (-0.2, -0.3, -0.1),
            "The recipe is the champion's, fitted again: the search's choice may be more than 1% worse. "
            "NDCG@10 minus that of the search's choice: ",
            "are those of the champion, which an earlier training has chosen",
            "The champion's parameters were kept instead",
        ),
    ],
    ids=["replaced", "kept"],
)
def test_the_report_says_what_became_of_the_champions_recipe(
    outcome: Comparison, plays: Interactions, gain: tuple[float, float, float], said: str, blend: str, als: str
) -> None:
    name = incumbent.REFITTED
    both = replace(
        outcome,
        rows=[*outcome.rows, *(replace(row, model=name) for row in outcome.rows if row.model == SEGUE)],
        gains=outcome.gains | {name: gain},
        judged=outcome.judged | {name: outcome.judged["EASE"]},
        will_listen_of_others={name: outcome.will_listen},
    )
    settled = incumbent.settled(both, outcome.recipe)
    html = unescape(page(settled, plays, passed=True, champion="recommender/3"))
    verdict_of = text_of(html.split('class="verdict')[1].split("</p>")[0]).replace("−", "-")
    assert said in verdict_of
    assert blend in section_of(html, "What Segue is blended from")
    assert als in section_of(html, "ALS parameters tried")
    assert "The line of another recipe is no baseline" in section_of(html, "Segue and each baseline")


def test_without_a_champions_recipe_the_report_says_nothing_of_it(html: str) -> None:
    assert "fitted again" not in html
    assert "another recipe" not in html


def test_the_share_of_simulated_listens_is_said(outcome: Comparison, plays: Interactions, html: str) -> None:
    half = plays.user < len(plays.users) // 2
    share = f"{100 * half.mean():.0f} %".replace(" ", "\N{NO-BREAK SPACE}")
    names = np.array([f"sim-{i}" if i < len(plays.users) // 2 else f"u{i}" for i in range(len(plays.users))])
    mixed = page(outcome, replace(plays, users=names), passed=True, champion=None)
    assert f"{share} of the listens are simulated." in mixed
    assert f"<dt>Listens, simulated</dt><dd>{share}</dd>" in mixed
    assert "are simulated." not in html


def test_earlier_trainings_and_the_limits_are_shown(outcome: Comparison, plays: Interactions, html: str) -> None:
    at = datetime(2026, 2, 1, 3, tzinfo=UTC)
    earlier = [Training("recommender/a", "recommender/7", at, 0.1, (0.05, 0.15), promoted=True, learned=900)]
    around = Surroundings(earlier, "The challenger recommender/9 is better.")
    written = page(outcome, plays, passed=True, champion=None, around=around)
    assert "recommender/9 is better" in section_of(written, "Online evaluation")
    shown = section_of(written, "Versions over time")
    assert "NDCG@10 by version; rings are champions: 7 0.100 (marked), this one 0." in shown
    assert "(learning curve): 900 0.100 (marked), 2,000 0." in shown
    assert "Versions over time" not in html
    assert "It is not for judging people or artists" in section_of(html, "Intended use and limits")


def test_names_of_models_are_escaped(outcome: Comparison, plays: Interactions) -> None:
    nasty = [replace(row, model=f"<b>{row.model}") for row in outcome.rows]
    html = page(replace(outcome, rows=nasty), plays, passed=True, champion=None)
    assert "<b>" not in html
    assert "&lt;b&gt;EASE" in html
