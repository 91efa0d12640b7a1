"""Segue's pages without a stack: what axe-core finds in them, and their pictures (`make screenshots`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
from playwright.sync_api import Page
from scipy import sparse
from tests.support import overview_state
from tests.support.accessibility import SCREEN, check

from segue.corpus import report as corpus_report
from segue.corpus.rejected import RejectedFile
from segue.overview.page import Addresses
from segue.overview.page import page as overview
from segue.recommender import comparison
from segue.recommender import report as recommender_report
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.factors import Factors
from segue.recommender.evaluation.windows import by_time
from segue.recommender.interactions import Interactions

pytestmark = pytest.mark.browser
REJECTED = [
    RejectedFile(f"Unsorted/{n}.mp3", date(2026, 3, n), "TRUNCATED", "The file ends early.", 10) for n in (1, 2)
]


def of_recommender() -> str:
    """Write the report of a training on made-up listens. NumPy stands in for MLlib's factors."""
    random = np.random.default_rng(3)
    rows, columns = random.integers(120, size=4_000), random.integers(60, size=4_000)
    plays = Interactions(
        rows,
        (columns + rows % 4 * 15) // 2 % 60,
        np.ones(4_000, dtype=np.float32),
        np.sort(random.uniform(1_767_225_600, 1_772_323_200, 4_000)),
        np.array([f"sim-{i}" if i % 9 == 0 else f"u{i}" for i in range(120)]),
        np.array([f"t{i}" for i in range(60)]),
    )

    def fit(play_counts: sparse.csr_matrix, parameters: Hyperparameters) -> Factors:
        tastes = np.linalg.svd((play_counts.toarray() > 0).astype(np.float32), full_matrices=False)[2]
        items = np.ascontiguousarray(tastes[: parameters.rank].T)
        return Factors(items, parameters.alpha, parameters.regularization)

    outcome = comparison.compare(fit, by_time(plays), None, trials=2, say=str)
    around = recommender_report.Surroundings(overview_state.models().recommender)
    return recommender_report.page(outcome, plays, passed=True, champion="recommender/40", around=around)


def of_overview() -> str:
    return overview(overview_state.state(), overview_state.schedule(), Addresses("", "http://127.0.0.1:18100"))


PAGES: dict[str, Callable[[], str]] = {
    "overview": of_overview,
    "report": of_recommender,
    "rejects": lambda: corpus_report.listing(REJECTED, reason=None, day=None),
}
PICTURES = ("overview", "report")
"""Pages whose pictures README and docs show."""


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_on_a_screen_a_phone_and_in_the_dark(
    name: str, page: Page, pytestconfig: pytest.Config
) -> None:
    page.set_viewport_size(SCREEN)
    page.set_content(PAGES[name]())
    if name in PICTURES and (folder := pytestconfig.getoption("screenshots")):
        page.screenshot(path=f"{folder}/{name}.png")
    check(page)
