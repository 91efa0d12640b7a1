"""Measure transitions (what is played next in a session) on listeners with and without session structure.

    .venv/bin/python benchmarks/sessions.py quality [--seeds 5]   # is it kept, and what does it add?
    .venv/bin/python benchmarks/sessions.py cost [--plays 1000000]   # CPU and memory of transitions

Three kinds of simulated listeners, who have the same tastes and play at the same times:

- `independent`: each play is drawn from the listener's tastes. Nothing in a session says what comes next.
- `moods`: a session keeps to one of the tastes, as those of the demo's listeners do. Their order means nothing.
- `chains`: also, half of the plays within a session are one of three successors of the track before.

The search decides on the validation window whether transitions join the blend. The table has NDCG@10 of the rest
of the session, at moments of the test window, with paired 95 % intervals over the listeners of all data sets.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from recommender import long_tailed, solved

from segue.recommender import time_choices
from segue.recommender.components.blend import Blend
from segue.recommender.components.popularity import Popularity
from segue.recommender.components.transitions import relate
from segue.recommender.evaluation import moments
from segue.recommender.evaluation.metrics import evaluate_ranking, interval
from segue.recommender.evaluation.windows import by_time
from segue.recommender.interactions import Interactions
from segue.recommender.recipe import choose

LISTENERS, TRACKS, PLAYS, GENRES, DAYS = 400, 600, 40_000, 8, 180
REPEATED, SUCCESSORS, LENGTH = 0.25, 3, 8
FORCED = 0.25
"""A share of transitions for comparison, whatever the search has chosen."""


@dataclass(frozen=True)
class Kind:
    """What a session has to do with its next track.

    Parameters
    ----------
    keeps_mood : bool
        Whether a session keeps to one taste.
    follows : float
        Share of the plays within a session that are a successor of the track before.
    """

    keeps_mood: bool
    follows: float


KINDS = {"independent": Kind(False, 0.0), "moods": Kind(True, 0.0), "chains": Kind(True, 0.5)}


def listening(kind: Kind, seed: int) -> Interactions:
    """Simulate half a year of listening."""
    random = np.random.default_rng(seed)
    genre = random.integers(GENRES, size=TRACKS)
    popularity = random.permutation(1 / np.arange(1, TRACKS + 1) ** 0.5)
    of_genre = [np.flatnonzero(genre == each) for each in range(GENRES)]
    chances = [popularity[each] / popularity[each].sum() for each in of_genre]
    successors = np.array([random.choice(of_genre[each], SUCCESSORS) for each in genre])
    user, item, at_s = [], [], []
    for listener, count in enumerate(random.multinomial(PLAYS, random.dirichlet(np.full(LISTENERS, 2.0)))):
        tastes, shares = random.choice(GENRES, 3, replace=False), random.dirichlet(np.full(3, 2.0))
        history: list[int] = []
        while len(history) < count:
            length = min(count - len(history), int(random.geometric(1 / LENGTH)))
            mood = random.choice(tastes, p=shares)
            begin = random.uniform(0, DAYS * 86_400)
            for place in range(length):
                taste = mood if kind.keeps_mood else random.choice(tastes, p=shares)
                if place and random.random() < kind.follows:
                    track = random.choice(successors[history[-1]])
                elif history and random.random() < REPEATED:
                    track = random.choice(history)
                else:
                    track = random.choice(of_genre[taste], p=chances[taste])
                history.append(int(track))
            at_s.append(begin + np.cumsum(random.exponential(200, length) + 30))
        user.append(np.full(len(history), listener))
        item.append(history)
    return Interactions(
        np.concatenate(user),
        np.concatenate(item),
        np.ones(PLAYS, dtype=np.float32),
        1.75e9 + np.concatenate(at_s),
        np.array([f"listener{i:04}" for i in range(LISTENERS)]),
        np.array([f"t{i:04}" for i in range(TRACKS)]),
    )


def look(kind: Kind, seed: int) -> dict[str, NDArray[np.float64]]:
    """Choose on the validation window; return each listener's NDCG@10 at moments of the test window."""
    split = by_time(listening(kind, seed))
    fit = partial(solved, seed=seed)
    recipe = choose(fit, split.validation, None, trials=2, seed=seed, say=lambda _: None)
    share = recipe.weights.get("transitions", 0.0)
    others = {name: weight / (1 - share) for name, weight in recipe.weights.items() if name != "transitions"}
    fitted = replace(recipe, transitions_memory=recipe.transitions_memory or 4.0).fit_blend(
        fit, split.test.train, None, split.test.timeline
    )
    drawn = moments.draw(split.test, most=5 * LISTENERS)
    if drawn is None:
        raise SystemExit("No session of the test window goes on with a new track: simulate more plays.")

    def ndcg(share: float) -> NDArray[np.float64]:
        weights = {name: (1 - share) * weight for name, weight in others.items()} | {"transitions": share}
        found = evaluate_ranking(Blend(fitted.components, weights), drawn.window)
        return drawn.by_listener(found.values["ndcg@10"])

    return {"share": np.array([share]), "without": ndcg(0), "with": ndcg(share), "forced": ndcg(FORCED)}


def quality(seeds: int) -> None:
    """Print the table."""
    names = ("judged", "kept", "weight", "without", "as chosen", "minus without", f"{FORCED} minus without")
    print(f"| listeners | {' | '.join(names)} |\n|---{'|---:' * len(names)}|", flush=True)
    for name, kind in KINDS.items():
        found = [look(kind, seed) for seed in range(seeds)]
        pooled = {key: np.concatenate([each[key] for each in found]) for key in found[0]}
        shares, without = pooled["share"], pooled["without"]
        cells = [f"{len(without):,}", f"{np.count_nonzero(shares)} of {seeds}", f"{shares.mean():.2f}"]
        cells += [f"{without.mean():.4f}", f"{pooled['with'].mean():.4f}"]
        for other in ("with", "forced"):
            gain = pooled[other] - without
            low, high = interval(gain)
            cells.append(f"{gain.mean():+.4f} ({low:+.4f} to {high:+.4f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def cost(plays: int, listeners: int, tracks: int) -> None:
    """Print the CPU time and the memory of counting transitions, and of deciding whether they join the blend."""
    data, _, _ = long_tailed(tracks, listeners, plays, features=1)
    # The times of these plays are uniform, so they make no sessions. Ten plays of a listener become one.
    begin = np.random.default_rng(0).uniform(0, DAYS * 86_400, plays // 10 + 1)
    at_s = np.empty(plays)
    at_s[np.argsort(data.user, kind="stable")] = (begin[:, None] + 200.0 * np.arange(10)).ravel()[:plays]
    data = replace(data, timestamp=at_s)
    window = by_time(data).validation
    popularity = {"popularity": Popularity.fit(window.train)}
    print(f"{plays:,} plays of {listeners:,} listeners and {tracks:,} tracks")
    with measured("counting all transitions"):
        timeline = data.timeline()
        kept = 0 if timeline is None else relate(timeline).relations.nnz
    print(f"{kept:,} relations")
    with measured("deciding whether they join popularity"):
        time_choices.transitions(popularity, {"popularity": 1.0}, window, print)


@contextmanager
def measured(what: str) -> Iterator[None]:
    """Print the CPU time of a block, and by how much the peak memory has grown."""
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{what}: {time.process_time() - began:.1f} s of CPU, {grown:,.0f} MB", flush=True)


def main() -> None:
    """Read the arguments and run one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("quality").add_argument("--seeds", type=int, default=5, help="data sets of each kind")
    priced = commands.add_parser("cost")
    priced.add_argument("--plays", type=int, default=1_000_000)
    priced.add_argument("--listeners", type=int, default=20_000)
    priced.add_argument("--tracks", type=int, default=20_000)
    arguments = vars(parser.parse_args())
    {"quality": quality, "cost": cost}[arguments.pop("command")](**arguments)


if __name__ == "__main__":
    main()
