"""From listens to the recommender that serves: train, judge, and let the better one be the champion.

Nightly it is judged by the last fifth of all listens against popularity. Incrementally it is judged by the newest
listens, which the champion has not seen, against the champion. What is promoted is then fitted on everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from segue.errors import TrainingError
from segue.models.documents import publish_recommendations
from segue.models.recommender import Hyperparameters, Ranker, evaluate, fit, play_counts, split_by_time

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from segue.models.registry import Registry, Version

NAME = "recommender"
LATER_SHARE = 0.2
TOLERANCE = 0.01
"""How much worse than the champion's, relatively, the challenger's NDCG may be."""

ENDS = "kafka_ends"
"""Tag of a version: the offsets, by partition, up to which it has seen the listens."""

Outcome = dict[str, Any]


def train_in_full(
    listens: DataFrame, tracks: DataFrame, ends: Mapping[int, int], registry: Registry, seed: int = 0
) -> Outcome:
    """Train on everything there is.

    Parameters
    ----------
    listens : DataFrame
        ``user_name``, ``track_id``, ``listened_at``.
    tracks : DataFrame
        ``track_id``, ``title``, ``artist`` of the corpus.
    ends : mapping of int to int
        Where in Kafka the listens end, by partition.
    registry : Registry
    seed : int

    Returns
    -------
    dict
        The decision, its reason, metrics: what belongs in the run's summary.

    Raises
    ------
    TrainingError
        If there is too little to train on or to judge by, or if the model is no better than popularity and there
        is no champion to keep.
    """
    earlier, later, cutoff = split_by_time(listens, later_share=LATER_SHARE)
    counts = play_counts(earlier).cache()
    parameters = Hyperparameters()
    print(f"Judging by the listens since {cutoff:%Y-%m-%d %H:%M} UTC …", flush=True)
    als = evaluate(Ranker.of(fit(counts, parameters, seed=seed)), counts, later)
    popularity = evaluate(Ranker.by_popularity(counts), counts, later)
    print(f"NDCG@10 {als.ndcg:.4f}, of popularity {popularity.ndcg:.4f}, {als.listeners} listeners", flush=True)
    judged = {"als": asdict(als), "popularity": asdict(popularity), "cutoff": cutoff.isoformat()}
    comparison = f"NDCG@10 {als.ndcg:.3f} against popularity's {popularity.ndcg:.3f}, {als.listeners} listeners"
    if als.ndcg > popularity.ndcg:
        return judged | _release(listens, tracks, ends, registry, parameters, seed, comparison, judged)
    champion = registry.champion(NAME)
    if champion is None:
        raise TrainingError(
            f"The recommender is no better than popularity ({comparison}) and none serves yet. "
            "Send more listens: a few dozen for each listener."
        )
    return judged | _kept(champion, comparison)


def train_incrementally(
    listens: DataFrame, tracks: DataFrame, ends: Mapping[int, int], registry: Registry, seed: int = 0
) -> Outcome:
    """Take in what has arrived since the champion was trained.

    Parameters, result and errors are those of :func:`train_in_full`, which takes over where there is no champion;
    `listens` has ``partition`` and ``offset`` besides.
    """
    from pyspark.sql import functions as F  # noqa: N812

    champion = registry.champion(NAME)
    if champion is None:
        print("There is no champion yet: training in full.", flush=True)
        return train_in_full(listens, tracks, ends, registry, seed)
    seen = {int(partition): end for partition, end in json.loads(champion.tags[ENDS]).items()}
    unseen = [(F.col("partition") == p) & (F.col("offset") >= seen.get(p, 0)) for p in ends]
    newest = listens.where(reduce(or_, unseen))
    [row] = newest.agg(F.median("listened_at").alias("middle"), F.count("*").alias("listens")).collect()
    if not row.listens:
        return _kept(champion, f"{champion} has already seen all of these listens")

    # The later half of what the champion has not seen judges both; the challenger may learn from the earlier half.
    judging = F.coalesce(reduce(or_, unseen), F.lit(False)) & (F.col("listened_at") >= row.middle)
    counts, later = play_counts(listens.where(~judging)).cache(), listens.where(judging)
    parameters = Hyperparameters()
    print(f"Judging by the later half of {row.listens} listens new to {champion} …", flush=True)
    challenger = Ranker.of(fit(counts, parameters, seed=seed))
    incumbent = Ranker.of(champion.load())
    new = evaluate(challenger, counts, later, among=incumbent.listeners)
    old = evaluate(incumbent, counts, later, among=challenger.listeners)
    judged = {"challenger": asdict(new), "champion": asdict(old)}
    comparison = f"NDCG@10 {new.ndcg:.3f} against {champion}'s {old.ndcg:.3f}, {new.listeners} listeners"
    print(comparison, flush=True)
    if new.ndcg >= (1 - TOLERANCE) * old.ndcg:
        return judged | _release(listens, tracks, ends, registry, parameters, seed, comparison, judged)
    return judged | _kept(champion, comparison)


def _release(
    listens: DataFrame,
    tracks: DataFrame,
    ends: Mapping[int, int],
    registry: Registry,
    parameters: Hyperparameters,
    seed: int,
    reason: str,
    judged: Mapping[str, Any],
) -> Outcome:
    """Fit on everything, keep, promote, publish."""
    counts = play_counts(listens).cache()
    model = fit(counts, parameters, seed=seed)
    version = registry.register(
        NAME,
        model,
        parameters=asdict(parameters) | {"seed": seed},
        metrics={
            f"{of}_{name}": value
            for of, figures in judged.items()
            if isinstance(figures, dict)
            for name, value in figures.items()
        },
        tags={ENDS: json.dumps(dict(ends))},
        report=judged,
    )
    registry.promote(version)
    print(f"{version} is the champion; recommending …", flush=True)
    lists = Ranker.of(model).top(counts)
    listeners = publish_recommendations(lists, tracks, model=str(version), at=datetime.now(UTC))
    return {"decision": "promoted", "reason": reason, "model": str(version), "listeners_served": listeners}


def _kept(champion: Version, reason: str) -> Outcome:
    print(f"Kept {champion}: {reason}.", flush=True)
    return {"decision": "kept", "reason": reason, "model": str(champion), "listeners_served": 0}
