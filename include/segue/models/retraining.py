"""From listens to the recommender that serves: train, judge, and let the better one be the champion.

Nightly it is judged by the last fifth of all listens against popularity. Incrementally it is judged by the newest
listens, which the champion has not seen, against the champion. What is promoted is then fitted on everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from segue.models.documents import publish_recommendations
from segue.models.recommender import Hyperparameters, Ranker, evaluate, fit, play_counts, split_by_time

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import Column, DataFrame

    from segue.models.registry import Registry, Version

NAME = "recommender"
LATER_SHARE = 0.2
TOLERANCE = 0.01
"""How much worse than the champion's, relatively, the challenger's NDCG may be."""

ENDS = "kafka_ends"
"""Tag of a version: the offsets, by partition, up to which it has seen the listens."""

Outcome = dict[str, Any]
"""The decision, its reason and the metrics: what belongs in the run's summary."""


@dataclass(frozen=True)
class Retraining:
    """One training of the recommender.

    Parameters
    ----------
    listens : DataFrame
        ``user_name``, ``track_id``, ``listened_at`` (epoch seconds), ``partition``, ``offset``.
    tracks : DataFrame
        ``track_id``, ``title``, ``artist`` of the corpus.
    ends : mapping of int to int
        Where in Kafka the listens end, by partition.
    registry : Registry
    parameters : Hyperparameters
    seed : int
        Of ALS' first factors.
    """

    listens: DataFrame
    tracks: DataFrame
    ends: Mapping[int, int]
    registry: Registry
    parameters: Hyperparameters = Hyperparameters()  # noqa: RUF009  frozen, so that sharing it is safe
    seed: int = 0

    def in_full(self) -> Outcome:
        """Train on everything there is.

        A model that is no better than popularity leaves the champion serving, or popularity if there is none.

        Raises
        ------
        TrainingError
            If there is too little to train on or to judge by.
        """
        earlier, later, cutoff = split_by_time(self.listens, later_share=LATER_SHARE)
        counts = play_counts(earlier).cache()
        print(f"Judging by the listens since {cutoff:%Y-%m-%d %H:%M} UTC …", flush=True)
        als = evaluate(Ranker.of(self._fit(counts)), counts, later)
        popularity = evaluate(Ranker.by_popularity(counts), counts, later)
        comparison = (
            f"NDCG@10 {als.ndcg:.3f} against popularity's {popularity.ndcg:.3f}, {als.listeners} listeners"
        )
        print(comparison, flush=True)
        judged = {"als": asdict(als), "popularity": asdict(popularity)}
        if als.ndcg > popularity.ndcg:
            return self._release(comparison, judged)
        champion = self.registry.champion(NAME)
        return judged | (_kept(champion, comparison) if champion else self._serve_popularity(comparison))

    def incrementally(self) -> Outcome:
        """Take in what has arrived since the champion was trained; without a champion, train in full.

        Raises
        ------
        TrainingError
            As of :meth:`in_full`.
        """
        champion = self.registry.champion(NAME)
        if champion is None:
            print("There is no champion yet: training in full.", flush=True)
            return self.in_full()
        middle, count = self._middle_of_what_is_new_to(champion)
        if not count:
            return _kept(champion, f"{champion} has already seen all of these listens")

        # The later half of what the champion has not seen judges both; the challenger may learn from the rest.
        judging = _unseen(champion, self.ends) & (self.listens.listened_at >= middle)
        counts, later = play_counts(self.listens.where(~judging)).cache(), self.listens.where(judging)
        print(f"Judging by the later half of {count} listens new to {champion} …", flush=True)
        challenger, incumbent = Ranker.of(self._fit(counts)), Ranker.of(champion.load())
        new = evaluate(challenger, counts, later, among=incumbent.listeners)
        old = evaluate(incumbent, counts, later, among=challenger.listeners)
        comparison = f"NDCG@10 {new.ndcg:.3f} against {champion}'s {old.ndcg:.3f}, {new.listeners} listeners"
        print(comparison, flush=True)
        judged = {"challenger": asdict(new), "champion": asdict(old)}
        if new.ndcg >= (1 - TOLERANCE) * old.ndcg:
            return self._release(comparison, judged)
        return judged | _kept(champion, comparison)

    def _middle_of_what_is_new_to(self, champion: Version) -> tuple[float, int]:
        from pyspark.sql import functions as F  # noqa: N812

        new = self.listens.where(_unseen(champion, self.ends))
        [row] = new.agg(F.median("listened_at"), F.count("*")).collect()
        return row[0], row[1]

    def _fit(self, counts: DataFrame) -> PipelineModel:
        return fit(counts, self.parameters, seed=self.seed)

    def _serve_popularity(self, reason: str) -> Outcome:
        counts = play_counts(self.listens).cache()
        print(f"Recommending what is popular: {reason}.", flush=True)
        return self._serve(Ranker.by_popularity(counts), counts, "popularity", "popularity serves", reason)

    def _serve(self, ranker: Ranker, counts: DataFrame, model: str, decision: str, reason: str) -> Outcome:
        served = publish_recommendations(ranker.top(counts), self.tracks, model=model, at=datetime.now(UTC))
        return {"decision": decision, "reason": reason, "model": model, "listeners_served": served}

    def _release(self, reason: str, judged: dict[str, dict[str, float]]) -> Outcome:
        """Fit on everything, keep, promote, publish."""
        counts = play_counts(self.listens).cache()
        model = self._fit(counts)
        version = self.registry.register(
            NAME,
            model,
            parameters=asdict(self.parameters) | {"seed": self.seed},
            metrics={f"{of}_{name}": value for of, figures in judged.items() for name, value in figures.items()},
            tags={ENDS: json.dumps(dict(self.ends))},
            report=judged,
        )
        self.registry.promote(version)
        print(f"{version} is the champion; recommending …", flush=True)
        return judged | self._serve(Ranker.of(model), counts, str(version), "promoted", reason)


def _unseen(champion: Version, ends: Mapping[int, int]) -> Column:
    """Tell by partition and offset which listens the champion was not trained on."""
    from pyspark.sql import functions as F  # noqa: N812

    seen = {int(partition): end for partition, end in json.loads(champion.tags[ENDS]).items()}
    beyond = [(F.col("partition") == p) & (F.col("offset") >= seen.get(p, 0)) for p in ends]
    return reduce(or_, beyond, F.lit(False))


def _kept(champion: Version, reason: str) -> Outcome:
    print(f"Kept {champion}: {reason}.", flush=True)
    return {"decision": "kept", "reason": reason, "model": str(champion), "listeners_served": 0}
