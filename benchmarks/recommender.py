"""Measure the figures of docs/recommender.md. Each command prints one table.

    python benchmarks/recommender.py rank      # ms to rank one listener, compared with `implicit`
    python benchmarks/recommender.py train     # ALS of MLlib and of `implicit` on the same plays
    python benchmarks/recommender.py incremental  # ten updates of 5,000 listens onto a million, and full trainings
    python benchmarks/recommender.py quality   # Segue and its baselines on simulated listeners, with audio;
                                               # --seeds data sets, cold tracks separately
    python benchmarks/recommender.py quality --large-counts   # the same on counts as of artists, without audio
    python benchmarks/recommender.py quality --plays FILE     # the same on a table of plays
    python benchmarks/recommender.py size      # the nightly training by step: wall, CPU and memory (PSS)

`rank` and `train` need the extra `benchmark`.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from scipy import sparse
from synthetic import RANK, champion

if TYPE_CHECKING:
    from segue.recommender.comparison import Comparison
    from segue.recommender.components.als import Hyperparameters
    from segue.recommender.components.factors import Factors
    from segue.recommender.interactions import Interactions
    from segue.recommender.recipe import Audio
    from segue.recommender.serving.recommend import Listener

app = typer.Typer(no_args_is_help=True, add_completion=False)

TRACKS = 106_574


def median_ms(action: Callable[[], object], times: int = 200) -> tuple[float, float]:
    """Return the shortest and the median duration."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(1000 * (time.perf_counter() - began))
    return min(taken), float(np.median(taken))


@app.command()
def rank() -> None:
    """Rank one listener over 106,574 tracks of 64 factors, one thread; then make whole lists."""
    from implicit.cpu.topk import topk
    from threadpoolctl import threadpool_limits

    from segue.recommender.components.factors import Factors
    from segue.recommender.evaluation.metrics import best
    from segue.recommender.serving.recommend import TOGETHER, Listener, recommend

    random = np.random.default_rng(0)
    items = random.normal(size=(TRACKS, RANK)).astype(np.float32)
    factors = Factors(items, alpha=10.0, regularization=0.01)
    played, plays = random.choice(TRACKS, 50, replace=False), np.ones(50, dtype=np.float32)
    vector = factors.fold_in(played, plays)
    scores = items @ vector
    with threadpool_limits(1):
        lines = {
            "read the factors once (sum)": median_ms(lambda: items.sum(dtype=np.float32)),
            "fold in 50 tracks": median_ms(lambda: factors.fold_in(played, plays)),
            "scores (GEMV)": median_ms(lambda: items @ vector),
            "best 100 of the scores": median_ms(lambda: best(scores[None], 100)),
            "scores and best 100": median_ms(lambda: best((items @ vector)[None], 100)),
            "implicit: scores and best 100": median_ms(lambda: topk(items, vector[None], 100, num_threads=1)),
        }
    for name, (shortest, median) in lines.items():
        print(f"{name:<32} {shortest:8.2f} ms at best, {median:8.2f} ms median")
    model = champion(TRACKS)
    people = [
        Listener(random.choice(TRACKS, 60, replace=False), np.ones(60, np.float32), np.zeros(60, np.int64))
        for _ in range(64)
    ]
    with threadpool_limits(1):
        for together in (1, TOGETHER):
            began = time.process_time()
            for start in range(0, len(people), together):
                list(recommend(model, people[start : start + together], now=time.time()))
            spent = 1000 * (time.process_time() - began) / len(people)
            print(f"a whole list with its reasons, {together:2} listeners at a time: {spent:6.2f} ms of CPU each")


def synthetic(listeners: int, tracks: int, plays: int, seed: int = 0) -> sparse.csr_matrix:
    """Make plays of listeners with few tastes over tracks of skewed popularity."""
    random = np.random.default_rng(seed)
    tastes = 40
    of_track = random.integers(tastes, size=tracks)
    popularity = random.permutation(1 / np.arange(1, tracks + 1) ** 0.7)
    members = [np.flatnonzero(of_track == taste) for taste in range(tastes)]
    shares = [popularity[each] / popularity[each].sum() for each in members]
    rows, columns = [], []
    active = random.dirichlet(np.full(listeners, 1.5)) * plays
    for listener, count in enumerate(random.poisson(active)):
        for taste in random.choice(tastes, 3, replace=False):
            drawn = random.choice(members[taste], size=count // 3 + 1, p=shares[taste])
            rows.append(np.full(len(drawn), listener))
            columns.append(drawn)
    row, column = np.concatenate(rows), np.concatenate(columns)
    return sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(listeners, tracks))


@app.command()
def train(
    listeners: int = 20_000, tracks: int = 20_000, plays: int = 2_000_000, rank: int = RANK, iterations: int = 10
) -> None:
    """Fit MLlib's ALS and implicit's ALS to the same plays: CPU seconds, memory, NDCG@10."""
    from implicit.als import AlternatingLeastSquares

    from segue.recommender.components import als
    from segue.recommender.components.als import Hyperparameters
    from segue.recommender.components.factors import Factors
    from segue.recommender.evaluation.metrics import evaluate_ranking
    from segue.recommender.evaluation.windows import at_random
    from segue.stack.spark_session import spark_session

    window = at_random(synthetic(listeners, tracks, plays), seed=0).test
    print(f"{window.train.nnz:,} interactions of {listeners:,} listeners and {tracks:,} tracks, rank {rank}")
    some = np.random.default_rng(0).choice(listeners, 2_000, replace=False)
    parameters = Hyperparameters(rank, 0.01, 10.0, iterations)

    def tell(name: str, factors: Factors, began: float, cpu: float, peak_mb: float) -> None:
        ndcg = evaluate_ranking(factors, window, listeners=some).means()["ndcg@10"]
        print(
            f"{name:<9} {time.time() - began:7.1f} s wall {cpu:7.1f} s CPU {peak_mb:7.0f} MB  NDCG@10 {ndcg:.4f}"
        )

    began, before = time.time(), _cpu_s()
    model = AlternatingLeastSquares(
        factors=rank, regularization=0.1, alpha=10.0, iterations=iterations, use_gpu=False, random_state=0
    )
    model.fit(window.train.log1p(), show_progress=False)
    cpu, peak = _cpu_s() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tell("implicit", Factors(model.item_factors, 10.0, 0.1 / 50), began, cpu, peak)
    with spark_session() as spark:
        java = _java_process()
        began, before = time.time(), sum(java.cpu_times()[:2])
        factors = als.fit(spark, window.train, parameters)
        cpu = sum(java.cpu_times()[:2]) - before
        tell("MLlib", factors, began, cpu, java.memory_info().rss / 2**20)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _java_process():
    import psutil

    return next(child for child in psutil.Process().children(recursive=True) if child.name() == "java")


@app.command()
def incremental(
    listeners: int = 20_000,
    tracks: int = 20_000,
    plays: int = 1_000_000,
    updates: int = 10,
    new: int = 5_000,
    rank: int = RANK,
    iterations: int = 10,
    anew: Annotated[int, typer.Option(help="Do a full training after this many updates.")] = 1,
    judges: Annotated[int, typer.Option(help="Listeners that NDCG@10 is averaged over.")] = 5_000,
) -> None:
    """Compare updates with a full training on the same listens: CPU seconds, NDCG@10.

    The full training is one fit by the same recipe, without the search of a nightly training.
    """
    from segue.recommender.components import als
    from segue.recommender.components.als import Hyperparameters
    from segue.recommender.evaluation.metrics import evaluate_ranking
    from segue.recommender.evaluation.windows import Window
    from segue.recommender.model import Catalogue, Recommender
    from segue.recommender.recipe import Audio, Recipe
    from segue.recommender.update import fold_in_plays
    from segue.stack.spark_session import spark_session

    random = np.random.default_rng(0)
    ahead = 20 * new  # evaluation listens, in the order of time
    everything = synthetic(listeners, tracks, plays + updates * new + ahead).tocoo()
    user, item = (np.repeat(each, everything.data.astype(int)) for each in (everything.row, everything.col))
    order = random.permutation(len(user))
    user, item = user[order], item[order]

    def until(end: int, begin: int = 0) -> sparse.csr_matrix:
        chosen = slice(begin, end)
        ones = np.ones(len(user[chosen]), dtype=np.float32)
        return sparse.csr_matrix((ones, (user[chosen], item[chosen])), shape=(listeners, tracks))

    sounds = random.normal(size=(tracks, 32)).astype(np.float32)
    audio = Audio(
        sounds / np.linalg.norm(sounds, axis=1, keepdims=True), [f"Artist {i // 7}" for i in range(tracks)]
    )
    names = [f"t{i:06}" for i in range(tracks)]
    catalogue = Catalogue(names, names, audio.artists)
    weights = {"factors": 0.4, "ease": 0.2, "cosine": 0.2, "popularity": 0.15, "sound": 0.05}
    recipe = Recipe(Hyperparameters(rank, 0.03, 10.0, iterations), 100.0, 0.5, 1.0, weights, 0.5, 1.0)
    judging = random.choice(listeners, judges, replace=False)

    with spark_session() as spark:
        java = _java_process()

        def cpu_s() -> float:
            return _cpu_s() + sum(java.cpu_times()[:2])

        def trained(play_counts: sparse.csr_matrix) -> tuple[Recommender, float]:
            before = cpu_s()
            model = Recommender(catalogue, recipe.fit_blend(partial(als.fit, spark), play_counts, audio), recipe)
            return model, cpu_s() - before

        end = len(user) - updates * new - ahead
        known = until(end)
        model, cost = trained(known)
        print(
            f"{known.sum():,.0f} plays of {listeners:,} listeners, {tracks:,} tracks: trained in {cost:.0f} s CPU"
        )
        for update in range(1, updates + 1):
            play_counts = until(end + update * new)
            before = cpu_s()
            model = fold_in_plays(model, known, play_counts, audio)
            spent, known = cpu_s() - before, play_counts
            window = Window(play_counts, until(len(user), end + update * new))
            updated = evaluate_ranking(model.blend, window, listeners=judging).values["ndcg@10"]
            line = f"update {update:2}: {spent:6.1f} s of CPU; NDCG@10 {updated.mean():.4f}"
            if update % anew == 0:
                full, cost = trained(play_counts)
                best = evaluate_ranking(full.blend, window, listeners=judging).values["ndcg@10"]
                error = (updated - best).std() / np.sqrt(len(best))
                line += (
                    f"; trained anew {cost:6.1f} s ({cost / spent:.0f} times), NDCG@10 {best.mean():.4f}: "
                    f"{updated.mean() / best.mean() - 1:+.2%} ± {error / best.mean():.2%} (standard error)"
                )
            print(line, flush=True)


@app.command()
def quality(
    listeners: int = 300,
    events: int = 30_000,
    tracks: int = 600,
    late: Annotated[
        float, typer.Option(help="Share of the tracks that enter the corpus in the last months.")
    ] = 0.2,
    seeds: Annotated[
        int, typer.Option(min=1, help="Number of data sets, each with other tracks and listeners.")
    ] = 5,
    trials: Annotated[int, typer.Option(min=1, help="Number of choices of ALS' parameters to try.")] = 4,
    large_counts: Annotated[
        bool, typer.Option(help="Counts as a service sums them up by artist: mean ln(1 + plays) is 5.6.")
    ] = False,
    plays: Annotated[Path | None, typer.Option(help="A table of plays instead of simulated listeners.")] = None,
    spark: Annotated[
        bool, typer.Option(help="Fit ALS by MLlib. NumPy solves the same equations without a JVM.")
    ] = False,
    save: Annotated[Path | None, typer.Option(help="Keep Segue's NDCG@10 of each listener in this .npz.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="A file that another version saved: print the paired difference.")
    ] = None,
) -> None:
    """Compare Segue with its baselines on simulated listeners, whose tastes are genres and sounds.

    Tracks appear over time, so some are cold in the validation window and some in the test window.
    The table has NDCG@10, means over the data sets and their standard errors.
    """
    from contextlib import nullcontext

    from segue.recommender import comparison
    from segue.recommender.components import als
    from segue.recommender.evaluation.metrics import interval
    from segue.recommender.evaluation.windows import at_random, by_time
    from segue.recommender.interactions import read_interactions
    from segue.recommender.reports import SEGUE
    from segue.stack.spark_session import spark_session

    outcomes = []
    with spark_session() if spark else nullcontext() as session:
        for seed in range(seeds):
            if plays is not None:
                data, audio = read_interactions(plays), None
            elif large_counts:
                data, audio = counted(listeners, tracks, seed), None
            else:
                data, audio = simulated(listeners, events, tracks, late, seed)
            least = 5 if large_counts else 1
            split = at_random(data.matrix(), seed, least) if data.timestamp is None else by_time(data, least)
            fit = partial(als.fit, session, seed=seed) if spark else partial(solved, seed=seed)
            began = time.process_time()
            outcomes.append(comparison.compare(fit, split, audio, trials=trials, seed=seed, say=lambda _: None))
            reached = {row.model: row.metrics["ndcg@10"] for row in outcomes[-1].rows if row.task == "new tracks"}
            print(
                f"seed {seed}, {time.process_time() - began:.0f} s of CPU: "
                + ", ".join(f"{model} {ndcg:.4f}" for model, ndcg in reached.items()),
                flush=True,
            )
            print(f"  {outcomes[-1].recipe}", flush=True)
    pairs = data.matrix()
    print(
        f"{pairs.shape[0]:,} listeners, {pairs.shape[1]:,} tracks, {seeds} data sets, "
        f"mean ln(1 + plays) {pairs.log1p().data.mean():.2f}"
    )
    for line in table_of_means(outcomes):
        print(line)
    ndcg = np.concatenate([each.judged[SEGUE].values["ndcg@10"] for each in outcomes])
    if save:
        np.savez(save, ndcg=ndcg)
    if against:
        before = np.load(against)["ndcg"]
        low, high = interval(ndcg - before)
        print(
            f"NDCG@10 {before.mean():.4f} before, {ndcg.mean():.4f} now: {(ndcg - before).mean():+.4f} "
            f"({low:+.4f} to {high:+.4f}; {ndcg.mean() / before.mean() - 1:+.1%}), {len(ndcg):,} listeners"
        )


def solved(play_counts: sparse.csr_matrix, parameters: Hyperparameters, *, seed: int) -> Factors:
    """Fit ALS by alternating the exact half-steps of `Factors`, which are those of MLlib."""
    from segue.recommender.components.factors import Factors

    def step(factors: np.ndarray, counts: sparse.csr_matrix) -> np.ndarray:
        return Factors(factors, parameters.alpha, parameters.regularization).fold_in_all(counts)

    random = np.random.default_rng(seed)
    items = np.abs(random.normal(size=(play_counts.shape[1], parameters.rank)).astype(np.float32))
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    by_track = play_counts.T.tocsr()
    for _ in range(parameters.iterations):
        items = step(step(items, play_counts), by_track)
    return Factors(items, parameters.alpha, parameters.regularization)


@app.command()
def size(
    tracks: int = TRACKS,
    listeners: int = 20_000,
    listens: int = 5_000_000,
    trials: Annotated[int, typer.Option(min=1, help="Number of choices of ALS' parameters to try.")] = 8,
    features: int = 518,
) -> None:
    """Train at the nightly settings, rank for every listener, and update: wall, CPU and peak memory of each step.

    The listens are made up. Popularity and activity have long tails. Every listener has three of 40 tastes, and
    each taste has a sound. The benchmark does not use MongoDB, Kafka or the lake.
    """
    import tempfile

    from measured import Meter

    from segue.recommender import training
    from segue.recommender.comparison import compare
    from segue.recommender.components import als
    from segue.recommender.evaluation.windows import by_time
    from segue.recommender.model import Catalogue, Recommender
    from segue.recommender.recipe import Audio
    from segue.recommender.serving.recommend import recommend
    from segue.recommender.update import fold_in_plays, reindex
    from segue.stack.spark_session import spark_session

    with Meter() as meter, spark_session() as spark:
        plays, sounds, artists = long_tailed(tracks, listeners, listens, features)
        names = [f"t{i:06}" for i in range(tracks)]
        catalogue = Catalogue(names, [f"Title {i}" for i in range(tracks)], artists)
        meter.step("made up the data")
        audio = Audio.of(sounds, artists)
        del sounds
        meter.step("space of sound")
        fit = partial(als.fit, spark, seed=0)
        outcome = compare(fit, by_time(plays), audio, trials=trials, say=meter.step)
        meter.step("judged on the test window")
        print(training.comparison_table(outcome), flush=True)
        play_counts = plays.matrix()
        model = Recommender(
            catalogue, outcome.recipe.fit_blend(fit, play_counts, audio, plays.timeline()), outcome.recipe
        )
        meter.step("built the product")
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model")
            model = Recommender.load(Path(folder) / "model")
            meter.step("saved and loaded")
            count = sum(1 for _ in recommend(model, people_of(play_counts), now=time.time()))
            meter.step(f"lists for {count:,} listeners")
        newest = np.asarray(plays.timestamp) >= np.quantile(np.asarray(plays.timestamp), 0.999)
        fold_in_plays(reindex(model, catalogue), plays.matrix(~newest), play_counts, audio)
        meter.step(f"update by {int(newest.sum()):,} listens")
        meter.total()


def long_tailed(
    tracks: int, listeners: int, listens: int, features: int, seed: int = 0
) -> tuple[Interactions, np.ndarray, list[str]]:
    """Make up half a year of listens, features, and artists with six tracks on average (long-tailed)."""
    from segue.recommender.interactions import Interactions

    random = np.random.default_rng(seed)
    tastes = 40
    taste = np.sort(random.integers(tastes, size=tracks))
    weight = random.permutation(1 / np.arange(1, tracks + 1) ** 0.8)
    bounds = np.concatenate([[0.0], np.cumsum(weight)])
    first, last = (bounds[np.searchsorted(taste, np.arange(tastes), side=side)] for side in ("left", "right"))
    activity = random.permutation(1 / np.arange(10, listeners + 10) ** 0.6)
    user = random.choice(listeners, listens, p=activity / activity.sum()).astype(np.int32)
    liked = random.integers(tastes, size=(listeners, 3))[user, random.integers(3, size=listens)]
    drawn = first[liked] + (last - first)[liked] * random.random(listens)
    item = (np.searchsorted(bounds, drawn, side="right") - 1).clip(max=tracks - 1)
    shuffled = random.permutation(tracks)  # so that tracks of one taste are not neighbours in the catalogue
    centres = random.normal(size=(tastes, features)).astype(np.float32)
    sounds = random.standard_normal((tracks, features), dtype=np.float32)
    sounds[shuffled] += centres[taste]
    artist = (random.power(0.5, size=tracks) * max(tracks // 6, 1)).astype(int)
    data = Interactions(
        user,
        shuffled[item].astype(np.int32),
        np.ones(listens, dtype=np.float32),
        1.75e9 + np.sort(random.random(listens)) * 180 * 86_400,
        np.array([f"listener{i:06}" for i in range(listeners)]),
        np.array([f"t{i:06}" for i in range(tracks)]),
    )
    return data, sounds, [f"Artist {i}" for i in artist]


def counted(listeners: int, tracks: int, seed: int) -> Interactions:
    """Make up counts as a service sums them up by artist: some 40 artists a listener, each played many times.

    Artists lie in niches of twelve genres, a listener likes one to four niches, and popularity has a long tail.
    ln(plays) is normal around 5.6, a little higher for artists near to the listener's taste.
    """
    from segue.recommender.interactions import Interactions

    random = np.random.default_rng(seed)
    niches, dimensions, mean = 60, 16, 5.6
    genres = random.normal(size=(12, dimensions))
    niche = genres[random.integers(12, size=niches)] + 0.7 * random.normal(size=(niches, dimensions))
    places = niche[random.integers(niches, size=tracks)] + 0.5 * random.normal(size=(tracks, dimensions))
    popularity = -0.8 * np.log(random.permutation(np.arange(5, tracks + 5)))
    user, item, plays = [], [], []
    for listener in range(listeners):
        count = random.integers(1, 5)
        tastes = niche[random.choice(niches, count, replace=False)] + 0.3 * random.normal(size=(count, dimensions))
        near = -((places[:, None] - tastes[None]) ** 2).sum(axis=2).min(axis=1) / 5
        drawn = popularity + np.maximum(near, -6) + random.gumbel(size=tracks)
        chosen = np.argsort(-drawn)[: max(8, int(random.lognormal(np.log(40), 0.4)))]
        level = mean + 0.25 * (near[chosen] - near[chosen].mean()) + 0.6 * random.normal()
        user.append(np.full(len(chosen), listener))
        item.append(chosen)
        plays.append(np.maximum(1, np.round(np.exp(level + 1.1 * random.normal(size=len(chosen))))))
    return Interactions(
        np.concatenate(user),
        np.concatenate(item),
        np.concatenate(plays).astype(np.float32),
        None,
        np.array([f"listener{i:05}" for i in range(listeners)]),
        np.array([f"artist{i:05}" for i in range(tracks)]),
    )


def people_of(play_counts: sparse.csr_matrix) -> list[Listener]:
    """Make the listeners to recommend to from play counts; no play is recent."""
    from segue.recommender.serving.recommend import Listener

    rows = (slice(*play_counts.indptr[i : i + 2]) for i in range(play_counts.shape[0]))
    return [
        Listener(play_counts.indices[row], play_counts.data[row], np.zeros(row.stop - row.start, dtype=np.int64))
        for row in rows
    ]


FEWEST = 10
"""The table has no row for a task with fewer listeners (average of the data sets)."""


def table_of_means(outcomes: Sequence[Comparison]) -> Iterator[str]:
    """Format NDCG@10 of several data sets as Markdown, with cold tracks in separate rows."""
    methods = list(dict.fromkeys(["Segue", *(row.model for row in outcomes[0].rows if row.model != "own counts")]))
    yield (
        "| | judged listeners | " + " | ".join(methods) + " | Segue minus the best baseline | minus item cosine |"
    )
    yield "|---|" + "---|" * (len(methods) + 3)
    for task in ("new tracks", "new tracks, cold listeners", "cold tracks"):
        judged = [
            each for each in outcomes if each.row(task, methods[0])
        ]  # some data sets may have no such listener
        if not judged:
            continue
        rows = [[each.row(task, method) for method in methods] for each in judged]
        ndcg = np.array([[row.metrics["ndcg@10"] for row in of_all] for of_all in rows])
        best = 1 + int(ndcg[:, 1:].mean(axis=0).argmax())
        differences = [ndcg[:, 0] - ndcg[:, other] for other in (best, methods.index("item cosine"))]
        cells = [_mean(each) for each in ndcg.T] + [_mean(each, "+") for each in differences]
        cells[len(methods)] += f" ({methods[best]})"
        seen = np.mean([of_all[0].listeners for of_all in rows])
        if seen < FEWEST:
            continue
        yield f"| {task} | {seen:.0f} | " + " | ".join(cells) + " |"


def _mean(values: np.ndarray, sign: str = "") -> str:
    error = f" ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}" if len(values) > 1 else ""
    return f"{values.mean():{sign}.3f}{error}"


def simulated(listeners: int, events: int, tracks: int, late: float, seed: int) -> tuple[Interactions, Audio]:
    """Make up a corpus of eight genres, and half a year of listening to it."""
    from datetime import UTC, datetime

    from segue.demo.listeners import Audience, CorpusTrack
    from segue.recommender.interactions import Interactions
    from segue.recommender.recipe import Audio

    random = np.random.default_rng(seed)
    genres, dimensions = 8, 40
    centres = random.normal(size=(genres, dimensions))
    genre = random.integers(genres, size=tracks)
    features = (centres[genre] + random.normal(size=(tracks, dimensions))).astype(np.float32)
    corpus = [
        CorpusTrack(f"t{i:04}", f"Track {i}", f"genre {genre[i]}", features[i].tolist()) for i in range(tracks)
    ]
    first, last = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)
    there = np.full(tracks, first.timestamp())
    entering = random.choice(tracks, int(late * tracks), replace=False)
    there[entering] = random.uniform(
        *[(first + share * (last - first)).timestamp() for share in (0.6, 1)], len(entering)
    )
    played = [
        event
        for event in Audience(corpus, listeners=listeners, seed=seed).play(events=events, start=first, end=last)
        if event.listened_at >= there[int(str(event.track_id)[1:])]
    ]
    users, user = np.unique([event.user_name for event in played], return_inverse=True)
    data = Interactions(
        user,
        np.array([int(str(event.track_id)[1:]) for event in played]),
        np.ones(len(played), dtype=np.float32),
        np.array([event.listened_at for event in played], dtype=np.float64),
        users,
        np.array([track.track_id for track in corpus]),
    )
    return data, Audio.of(features, [f"artist {i // 5}" for i in range(tracks)])


if __name__ == "__main__":
    app()
