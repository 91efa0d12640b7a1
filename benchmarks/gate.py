"""Replay updates through the gate of the incremental retraining, half of them damaged.

    python benchmarks/gate.py    # 200 updates, half of them damaged by 10 %

A recommender is trained on the first part of simulated listening. Each window after it is learned by an update.
The update and the trained recommender, its reference, rank for the window's listeners. A damaged update has noise
in its scores, as much as lowers its NDCG@10 below the reference's by 10 %. A replay draws the listeners of its
windows from those of all windows, with replacement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated

import numpy as np
import typer
from recommender import simulated, solved
from scipy import sparse

from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend, sample_listeners, spread
from segue.recommender.evaluation.metrics import evaluate_ranking
from segue.recommender.evaluation.windows import Window
from segue.recommender.gate import Pool, Verdict
from segue.recommender.model import Catalogue, Recommender
from segue.recommender.recipe import Recipe
from segue.recommender.update import fold_in_plays


@dataclass(frozen=True)
class Damaged:
    """Adds noise to the scores of a blend, `noise` times their root mean square."""

    blend: Blend
    noise: float
    seed: int

    def score(self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None) -> np.ndarray:
        """Score the catalogue for listeners."""
        scores = self.blend.score(play_counts, session)
        random = np.random.default_rng([self.seed, play_counts.nnz])
        return scores + self.noise * spread(scores) * random.standard_normal(scores.shape, dtype=np.float32)


def main(
    updates: Annotated[int, typer.Option(help="Number of updates to replay.")] = 200,
    damage: Annotated[float, typer.Option(help="Loss of NDCG@10 of the damaged half.")] = 0.1,
    windows: Annotated[int, typer.Option(help="Number of windows that replays draw from.")] = 10,
    listeners: int = 700,
    events: int = 70_000,
    tracks: int = 600,
) -> None:
    """Count false refusals, promotions, and damaged updates that are gone within three windows."""
    plays, audio = simulated(listeners, events, tracks, 0.0, seed=0)
    times = np.asarray(plays.timestamp)
    ends = np.quantile(times, np.linspace(0.6, 1, windows + 1))
    weights = {"factors": 0.4, "cosine": 0.2, "graph": 0.2, "popularity": 0.2}
    recipe = Recipe(Hyperparameters(16, 0.3, 1.0, 10), 100.0, 0.5, 1.0, weights, 0.5, 1.0, graph_rank=16)
    names = plays.items.tolist()
    known = plays.matrix(times < ends[0])
    blend = recipe.fit_blend(partial(solved, seed=0), known, audio)
    trained = model = Recommender(Catalogue(names, names, audio.artists), blend, recipe)
    found = []
    for begin, end in pairwise(ends):
        # The update learns the first half of the window and is judged by the second.
        middle = np.median(times[(times >= begin) & (times < end)])
        learned = plays.matrix(times < middle)
        model, known = fold_in_plays(model, known, learned, audio), learned
        window = Window(learned, plays.matrix((times >= middle) & (times < end)))
        found.append((window, sample_listeners(window), model.blend))

    def ndcg(scorer, window, rows):
        return evaluate_ranking(scorer, window, listeners=rows).values["ndcg@10"]

    reference = [ndcg(trained.blend, window, rows) for window, rows, _ in found]
    sound = [ndcg(blend, window, rows) for window, rows, blend in found]
    total = np.concatenate(reference).sum()
    broken: list[np.ndarray] = []
    low, high = 0.0, 2.0
    for _ in range(8):
        noise = (low + high) / 2
        broken = [ndcg(Damaged(blend, noise, 0), window, rows) for window, rows, blend in found]
        lost = 1 - np.concatenate(broken).sum() / total
        if abs(lost - damage) < 0.003:
            break
        low, high = (noise, high) if lost < damage else (low, noise)
    before = np.concatenate(reference)
    apart = {"updates": np.concatenate(sound) - before, "damaged updates": np.concatenate(broken) - before}
    print(f"{windows} windows of {np.mean([len(rows) for _, rows, _ in found]):.0f} listeners")
    print(
        "| listeners a window | standard error | false refusals | promoted without reservation | damaged: gone |"
    )
    print("|---:|---:|---:|---:|---:|")
    for few in (55, 250, 1500):
        refused = [replayed(apart["updates"], before, few, seed, LONGEST) for seed in range(updates // 2)]
        gone = [replayed(apart["damaged updates"], before, few, seed, SOON) for seed in range(updates // 2)]
        error = apart["damaged updates"].std() / before.mean() / np.sqrt(few)
        cells = [refused.count(Verdict.REFUSED), refused.count(Verdict.PROMOTED), gone.count(Verdict.REFUSED)]
        shares = " | ".join(f"{2 * each / updates:.0%}" for each in cells)
        print(f"| {few:,} | {error:.1%} | {shares} |", flush=True)
    for kind, gained in apart.items():
        print(f"{kind}: {gained.sum() / before.sum():+.1%} against the reference")


SOON, LONGEST = 3, 12
"""A damaged update is followed for three windows, a sound one until the gate has decided, at most for twelve."""


def replayed(apart: np.ndarray, before: np.ndarray, listeners: int, seed: int, windows: int) -> Verdict:
    """Return the last verdict of the gate on an update."""
    random, pool = np.random.default_rng([seed, listeners]), Pool()
    for window in range(windows):
        drawn = random.integers(len(apart), size=listeners)
        names = [f"{window}/{listener}" for listener in range(listeners)]
        pool = pool.with_window(names, (before + apart)[drawn], before[drawn])
        if pool.verdict() is not Verdict.PROVISIONAL:
            break
    return pool.verdict()


if __name__ == "__main__":
    typer.run(main)
