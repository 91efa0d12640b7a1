"""Measure how many plays a skip, a love and a hate should count as, on listeners whose taste is known.

    .venv/bin/python benchmarks/feedback.py [--seeds 4] [--what skip love favourite hate]

Each simulated listener likes some tracks and dislikes the others. Half of what they hear is drawn from their
taste, half is played to them, as a radio does. They skip a track that they like with one probability, and a track
that they dislike with another. Tracks that they like are heard again. They love one in ten of the tracks that they
like, and hate one in twenty of those that they dislike. The favourites are loves that say more: the three tracks
that they like and that are nearest to their taste.

The strength of a pair of listener and track is the number of plays, plus the numbers of skips, loves and hates
times their weights. Strengths below 0 are 0, or EASE learns from them. One weight differs at a time, and the
others are 0. The table has NDCG@10 of the tracks that the listeners choose later, all of which they like and have
not played, and paired 95 % intervals over the listeners of all data sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from recommender import solved
from scipy import sparse

from segue.recommender import search
from segue.recommender.components.blend import spread
from segue.recommender.components.neighbours import Ease
from segue.recommender.components.popularity import Popularity
from segue.recommender.evaluation.metrics import evaluate_ranking, interval
from segue.recommender.evaluation.windows import Window

LISTENERS, TRACKS, DIMENSIONS, HEARD, LATER = 500, 800, 8, 60, 10
LOVED, HATED, FAVOURITES = 0.1, 0.05, 3
SKIPPING = {"skips say much": (0.05, 0.8), "skips say something": (0.15, 0.5), "skips say nothing": (0.3, 0.3)}
"""Probability of a skip for a liked and for a disliked track."""

WEIGHTS = {
    "skip": (-1.0, -0.5, -0.25, 0.25, 0.5, 1.0),
    "love": (1.0, 2.0, 4.0, 8.0),
    "favourite": (1.0, 2.0, 4.0, 8.0),
    "hate": (-0.5, -1.0, -2.0, -4.0),
}
BLEND = {"factors": 0.3, "ease": 0.5, "popularity": 0.2}


@dataclass(frozen=True)
class Heard:
    """What listeners did; each matrix counts, shape (n_listeners, n_tracks).

    Parameters
    ----------
    plays, skip, love, favourite, hate : csr_matrix
    later : csr_matrix
        What the listeners choose later.
    """

    plays: sparse.csr_matrix
    skip: sparse.csr_matrix
    love: sparse.csr_matrix
    favourite: sparse.csr_matrix
    hate: sparse.csr_matrix
    later: sparse.csr_matrix


def listening(of_liked: float, of_disliked: float, seed: int) -> Heard:
    """Simulate listeners who skip with these probabilities."""
    random = np.random.default_rng(seed)
    genres = random.normal(size=(12, DIMENSIONS))
    places = genres[random.integers(12, size=TRACKS)] + 0.5 * random.normal(size=(TRACKS, DIMENSIONS))
    tastes = genres[random.integers(12, size=LISTENERS)] + 0.7 * random.normal(size=(LISTENERS, DIMENSIONS))
    popularity = random.permutation(-0.6 * np.log(np.arange(5, TRACKS + 5)))
    near = -((tastes[:, None] - places[None]) ** 2).sum(axis=2) / DIMENSIONS
    near -= np.quantile(near, 0.75, axis=1, keepdims=True)
    likes = random.random(near.shape) < 1 / (1 + np.exp(-4 * near))

    def drawn(utility: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
        perturbed = utility + random.gumbel(size=utility.shape)  # sampling without replacement
        return perturbed >= np.partition(perturbed, -count, axis=1)[:, [-count]]

    heard = drawn(popularity + 1.5 * near, HEARD // 2) | drawn(popularity + 0 * near, HEARD // 2)
    times = heard * (1 + likes * random.poisson(1.0, size=near.shape))
    skips = random.binomial(times, np.where(likes, of_liked, of_disliked))
    plays = times - skips
    love = (plays > 0) & likes & (random.random(near.shape) < LOVED)
    liked = np.where((plays > 0) & likes, near, -np.inf)
    favourite = np.isfinite(liked) & (liked >= np.sort(liked, axis=1)[:, [-FAVOURITES]])
    hate = heard & ~likes & (random.random(near.shape) < HATED)
    later = drawn(np.where(likes & (plays == 0), popularity + 1.5 * near, -np.inf), LATER)
    later &= likes & (plays == 0)
    judged = later.any(axis=1)
    return Heard(
        *(
            sparse.csr_matrix(each[judged].astype(np.float32))
            for each in (plays, skips, love, favourite, hate, later)
        )
    )


@dataclass(frozen=True)
class Given:
    """Returns scores that were computed before, for all listeners."""

    scores: NDArray[np.float32]

    def score(
        self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """Return the scores."""
        del play_counts, session
        return self.scores.copy()


def ndcg(heard: Heard, weights: dict[str, float], *, signed: bool = False) -> NDArray[np.float64]:
    """Fit a blend to strengths, and return NDCG@10 of each listener.

    With `signed`, EASE learns from strengths r below 0, too, as -ln(1 + |r|).
    """
    strengths = sum((weight * getattr(heard, name) for name, weight in weights.items()), heard.plays).toarray()
    positive = sparse.csr_matrix(strengths.clip(min=0), dtype=np.float32)
    learned = np.sign(strengths) * np.log1p(abs(strengths)) if signed else positive.log1p().toarray()
    relations = Ease(learned.T @ learned, np.arange(TRACKS), TRACKS).fit(search.first_ease(positive)).relations
    als = replace(search.simplest(positive), iterations=5)
    parts = {
        "factors": solved(positive, als, seed=0).score(positive),
        "ease": (learned @ relations).astype(np.float32),
        "popularity": Popularity.fit(positive).score(positive),
    }
    scores = sum(BLEND[name] * part / spread(part) for name, part in parts.items())
    return evaluate_ranking(Given(scores), Window(heard.plays, heard.later)).values["ndcg@10"]


def tried(names: Sequence[str]) -> Iterator[tuple[str, float, bool]]:
    """Yield what is weighted, the weight, and whether strengths below 0 count."""
    for what in names:
        for weight in WEIGHTS[what]:
            yield what, weight, False
            if weight < 0:
                yield what, weight, True


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4, help="number of data sets of each kind")
    parser.add_argument("--what", choices=WEIGHTS, nargs="*", default=[*WEIGHTS], help="only these weights")
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    print("| skips | weight | NDCG@10 | minus plays alone |\n|---|---|---:|---:|")
    for name, skipping in SKIPPING.items():
        data = [listening(*skipping, seed) for seed in seeds]
        alone = np.concatenate([ndcg(each, {}) for each in data])
        print(f"| {name} | plays alone | {alone.mean():.4f} | |")
        for what, weight, signed in tried(arguments.what):
            found = np.concatenate([ndcg(each, {what: weight}, signed=signed) for each in data])
            low, high = interval(found - alone)
            gain = f"{(found - alone).mean():+.4f} ({low:+.4f} to {high:+.4f})"
            label = f"{what} {weight:g}{', also below 0' if signed else ''}"
            print(f"| {name} | {label} | {found.mean():.4f} | {gain} |", flush=True)


if __name__ == "__main__":
    main()
