"""Measure two changes of EASE against EASE itself: EDLAE, and how many relations a track keeps.

    .venv/bin/python benchmarks/ease.py [--seeds 5]

EDLAE (Steck 2020) is EASE with a further λ for each track, p / (1 − p) times its sum of squares, as if a share p
of the plays were dropped out. λ and p are chosen on the validation window, from seven values of λ and five of p.
The table has NDCG@10 on the test window and paired 95 % intervals over the listeners of all data sets. The data
sets are those of `recommender.py quality`: small counts in time, and large counts as of artists.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from recommender import counted, simulated

from segue.recommender import search
from segue.recommender.components.blend import sample_listeners
from segue.recommender.components.neighbours import KEPT, Ease, Neighbours
from segue.recommender.evaluation.metrics import evaluate_ranking, interval
from segue.recommender.evaluation.windows import Split, Window, at_random, by_time

Chosen = tuple[float, float]
"""λ and p."""

STEPS = range(-4, 3)
DROPPED = (0.0, 0.1, 0.25, 0.4, 0.6)
SIZES = (50, 100, KEPT, 400, 800)

DATA: Mapping[str, Callable[[int], Split]] = {
    "small counts": lambda seed: by_time(simulated(400, 24_000, 1_200, 0.2, seed)[0]),
    "large counts": lambda seed: at_random(counted(800, 1_500, seed).matrix(), seed, 5),
}


def fitted(plays: Ease, chosen: Chosen) -> Neighbours:
    """Fit EDLAE; without dropout, it is EASE."""
    regularization, dropped = chosen
    gram = plays.gram.copy()
    gram[np.diag_indices_from(gram)] *= 1 + dropped / (1 - dropped)
    return Ease(gram, plays.chosen, plays.n_tracks).fit(regularization)


def ndcg(model: Neighbours, window: Window, listeners: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Return NDCG@10 of each listener."""
    return evaluate_ranking(model, window, listeners=listeners).values["ndcg@10"]


def look(split: Split) -> dict[str, NDArray[np.float64]]:
    """Choose on the validation window; return NDCG@10 on the test window by name of the change."""
    window = split.validation
    plays, rows, first = Ease.of(window.train), sample_listeners(window), search.first_ease(window.train)
    reached = {
        (first * 3.0**step, dropped): ndcg(fitted(plays, (first * 3.0**step, dropped)), window, rows).mean()
        for step in STEPS
        for dropped in DROPPED
    }
    best = max(reached, key=reached.__getitem__)
    without = max((each for each in reached if each[1] == 0), key=reached.__getitem__)
    plays = Ease.of(split.test.train)
    ease = fitted(plays, without)
    found = {"EASE, all relations": ndcg(ease, split.test), "EDLAE": ndcg(fitted(plays, best), split.test)}
    return found | {f"EASE, {size} kept": ndcg(ease.truncated(size), split.test) for size in SIZES}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="number of data sets of each kind")
    seeds = range(parser.parse_args().seeds)
    print("| data | model | NDCG@10 | minus EASE with all relations |\n|---|---|---:|---:|")
    for name, split in DATA.items():
        found = [look(split(seed)) for seed in seeds]
        pooled = {model: np.concatenate([each[model] for each in found]) for model in found[0]}
        ease = pooled["EASE, all relations"]
        for model, values in pooled.items():
            gain = values - ease
            low, high = interval(gain)
            print(f"| {name} | {model} | {values.mean():.4f} | {gain.mean():+.4f} ({low:+.4f} to {high:+.4f}) |")


if __name__ == "__main__":
    main()
