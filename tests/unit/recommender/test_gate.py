"""The gate of updates: what it refuses, promotes and promotes provisionally, over many looks."""

from __future__ import annotations

import numpy as np
import pytest

from segue.recommender.gate import DELTA, Pool, Verdict

NAMES = [f"listener {i}" for i in range(300)]


def window(
    random: np.random.Generator, effect: float, listeners: int = 55
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Draw NDCG@10 of some listeners by a reference and by an update; the standard error is 3.6 % with 55."""
    names = random.choice(NAMES, listeners, replace=False).tolist()
    reference = random.beta(1, 3, listeners)
    return names, reference * (1 + effect) + random.normal(0, 0.067, listeners), reference


def followed(seed: int, effect: float, windows: int) -> list[Verdict]:
    """Return the verdicts of the gate until it has decided."""
    random, pool, verdicts = np.random.default_rng(seed), Pool(), []
    for _ in range(windows):
        pool = pool.with_window(*window(random, effect))
        verdicts.append(pool.verdict())
        if verdicts[-1] is not Verdict.PROVISIONAL:
            break
    return verdicts


def test_updates_as_good_are_seldom_refused_and_damaged_ones_are_soon_gone() -> None:
    good = [followed(seed, 0.0, windows=20) for seed in range(100)]
    assert sum(verdicts[-1] is Verdict.REFUSED for verdicts in good) <= 5
    assert sum(verdicts[-1] is Verdict.PROMOTED for verdicts in good) >= 90
    damaged = [followed(seed, -0.1, windows=3) for seed in range(100, 200)]
    assert sum(verdicts[-1] is Verdict.REFUSED for verdicts in damaged) >= 95


def test_no_window_of_few_listeners_stops_a_better_update() -> None:
    """The gate before stopped 9 of 23 windows of 55 listeners, although the updates were 1.1 % better."""
    verdicts = [followed(seed, 0.011, windows=1)[0] for seed in range(23)]
    assert Verdict.REFUSED not in verdicts
    assert verdicts.count(Verdict.PROVISIONAL) > verdicts.count(Verdict.PROMOTED)


def test_bounds_narrow_with_windows_and_widen_with_each_pool() -> None:
    random = np.random.default_rng(0)
    first = Pool().with_window(*window(random, 0.0))
    more = first
    for _ in range(9):
        more = more.with_window(*window(random, 0.0))
    later = Pool(first.gained, first.reference, first.windows, number=5)
    widths = [high - low for _, low, high in (each.bounds() for each in (more, first, later))]
    assert widths == sorted(widths)
    assert first.next() == Pool(number=2)


def test_plays_of_one_listener_in_many_windows_are_no_independent_evidence() -> None:
    random = np.random.default_rng(0)
    once = window(random, -0.02)
    pool = Pool()
    for _ in range(50):
        pool = pool.with_window(*once)
    first, last = Pool().with_window(*once).bounds(), pool.bounds()
    assert last == pytest.approx(first)


def test_a_pool_survives_the_registry_without_names() -> None:
    pool = Pool(number=3).with_window(*window(np.random.default_rng(0), 0.0))
    text = pool.to_json()
    assert len(text) < 4_000
    assert "listener" not in text
    assert Pool.from_json(text).bounds() == pytest.approx(pool.bounds(), rel=0.02)


@pytest.mark.parametrize(
    ("names", "update", "reference"),
    [
        ([], [], []),
        (NAMES[:1], [0.1], [0.5]),
        (NAMES[:60], [0.0] * 60, [0.0] * 60),
        (NAMES[:60], [0.3] * 60, [0.0] * 60),
    ],
    ids=["a window without new plays", "one listener", "nobody hits", "the reference hits nothing"],
)
def test_too_little_evidence_decides_nothing(
    names: list[str], update: list[float], reference: list[float]
) -> None:
    pool = Pool().with_window(names, np.array(update), np.array(reference))
    assert pool.verdict() is Verdict.PROVISIONAL
    assert "nan" not in pool.in_words()
    assert "too few listeners for bounds" in pool.in_words()


def test_equal_rankings_are_promoted_without_reservation() -> None:
    same = np.full(60, 0.4)
    pool = Pool().with_window(NAMES[:60], same, same)
    assert pool.bounds() == (0.0, 0.0, 0.0)
    assert pool.bounds()[1] > -DELTA
    assert pool.verdict() is Verdict.PROMOTED
