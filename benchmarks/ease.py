"""Measure two changes of EASE against EASE itself: EDLAE, and how many relations a track keeps.

    .venv/bin/python benchmarks/ease.py edlae [--seeds 5]
    .venv/bin/python benchmarks/ease.py kept [--seeds 5]

EDLAE (Steck 2020) is EASE with a further λ for each track, p / (1 − p) times its sum of squares, as if a share p
of the plays were dropped out. λ and p are chosen on the validation window, from seven values of λ and five of p.
`kept` chooses λ and the number of relations on the validation window, as a training does.

The tables have NDCG@10 on the test window and paired 95 % intervals over the listeners of all data sets. The data
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
from segue.recommender.components.neighbours import Ease, Neighbours
from segue.recommender.evaluation.metrics import evaluate_ranking, interval
from segue.recommender.evaluation.windows import Split, Window, at_random, by_time
from segue.recommender.recipe import EASE_KEPT

Chosen = tuple[float, float]
"""λ and p."""

STEPS = range(-4, 3)
DROPPED = (0.0, 0.1, 0.25, 0.4, 0.6)
SIZES = (10, 25, *EASE_KEPT)

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


def kept(split: Split) -> dict[str, NDArray[np.float64]]:
    """Choose on the validation window as a training does; return NDCG@10 on the test window by relations kept."""
    window = split.validation
    plays, rows = Ease.of(window.train), sample_listeners(window)
    regularization = search.climb(
        search.first_ease(window.train),
        lambda first, steps: first * 3.0**steps,
        lambda value: ndcg(plays.fit(value), window, rows),
    )
    ease = plays.fit(regularization)
    chosen = search.smallest({size: ndcg(ease.truncated(size), window, rows) for size in EASE_KEPT})
    print(f"chosen by {len(rows)} listeners: {chosen}", flush=True)
    ease = Ease.of(split.test.train).fit(regularization)
    found = {"all relations": ndcg(ease, split.test), "chosen": ndcg(ease.truncated(chosen), split.test)}
    return found | {f"{size}": ndcg(ease.truncated(size), split.test) for size in SIZES}


def edlae(split: Split) -> dict[str, NDArray[np.float64]]:
    """Choose on the validation window; return NDCG@10 on the test window by name of the model."""
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
    return {"EASE": ndcg(fitted(plays, without), split.test), "EDLAE": ndcg(fitted(plays, best), split.test)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="number of data sets of each kind")
    parser.add_argument("what", choices=("edlae", "kept"))
    arguments = parser.parse_args()
    look = {"edlae": edlae, "kept": kept}[arguments.what]
    print("| data | model | NDCG@10 | minus the first model |\n|---|---|---:|---:|")
    for name, split in DATA.items():
        found = [look(split(seed)) for seed in range(arguments.seeds)]
        pooled = {model: np.concatenate([each[model] for each in found]) for model in found[0]}
        ease = next(iter(pooled.values()))
        for model, values in pooled.items():
            gain = values - ease
            low, high = interval(gain)
            print(f"| {name} | {model} | {values.mean():.4f} | {gain.mean():+.4f} ({low:+.4f} to {high:+.4f}) |")


if __name__ == "__main__":
    main()
