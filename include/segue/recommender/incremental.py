"""Update the champion with the listens that it has not learned, and promote the result unless it is worse.

Candidate and champion are evaluated on the newest half of the listens that the champion has not learned. For this
evaluation, the candidate is updated with the older half only (:mod:`.update`). The gate (:mod:`.gate`) pools the
differences of all windows since the last version that was promoted without reservation. Unless it refuses, the
candidate is updated with the newest half as well, and then promoted.

Each listen counts once even if it is replayed, because an update starts from all plays. A replay solves the
factors of the replayed tracks once more. If the champion has already learned all listens of the replay, candidate
and champion are both evaluated on listens that they have learned. The gate then only finds out whether the
candidate is broken.

An update leaves parts of the model unchanged, and these parts drift away from what the listens say. So each
version counts the updates since the last full training, and is compared with the model of that training. The next
full training chooses everything anew, and this ends the drift.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segue.connections.windows import Offsets, OffsetWindow
from segue.errors import ModelError
from segue.listens import training_data
from segue.recommender.candidate import POOL, Candidate, Lineage, PromotionDecision, load, say
from segue.recommender.components.blend import Blend, sample_listeners
from segue.recommender.evaluation.metrics import evaluate_ranking
from segue.recommender.evaluation.windows import Window
from segue.recommender.gate import Pool, Verdict
from segue.recommender.interactions import Interactions
from segue.recommender.material import Material
from segue.recommender.model import NAME, Recommender
from segue.recommender.reports import ComparisonFigures, IncrementalUpdateReport, UpdateFigures
from segue.recommender.retraining import Retrained, Retraining, Start
from segue.recommender.training import train_in_full
from segue.recommender.update import fold_in_plays, reindex

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from segue.connections.model_version import Version
    from segue.settings import Settings

NEVER = int(np.iinfo(np.int64).max)
"""An offset that no listen has."""


@dataclass(frozen=True)
class IncrementalUpdate(Retraining):
    """Update the champion with one window of the topic of listens, and with everything before the window.

    Parameters
    ----------
    window : OffsetWindow
    replay : bool
        Learn the window's listens once more, even those that the champion has learned.
    seed : int
        Seed of the full training that takes over if no champion can be loaded.
    """

    window: OffsetWindow
    replay: bool = False
    seed: int = 0

    def window_in(self, topic: OffsetWindow) -> OffsetWindow:
        """Return the window that was asked for."""
        del topic
        return self.window

    def nothing_to_do(self, start: Start) -> str | None:
        """Refuse a window if its topic was created anew. Other messages then have the offsets of the window."""
        if self.window.is_of(start.topic):
            return None
        return (
            f"{self.window.topic!r} was deleted and created again after this window was found; the next run reads "
            "it from its beginning"
        )

    def read(self, spark: SparkSession, settings: Settings, start: Start) -> DataFrame:
        """Read all listens up to the window's end.

        The listens of the window, and those that the champion has not learned, are read with their offsets.
        """
        say(f"Reading the topic {self.window.topic!r} up to a window of {self.window.size:,} messages …")
        learned = start.learned
        since = {
            partition: min(first, learned.get(partition, 0)) for partition, first in self.window.starts.items()
        }
        return training_data.read_until(spark, settings, self.window, start.topic, since=Offsets(since))

    def decide(self, spark: SparkSession, start: Start, material: Material) -> PromotionDecision:
        """Update the champion, or train in full if no champion can be loaded."""
        champion = start.champion
        model = load(champion) if champion else None
        if champion is None or model is None:
            say("There is no champion to start from: training in full")
            return train_in_full(spark, start, material, seed=self.seed)
        if self.replay and start.learned.ahead_of(self.window.ends):
            return start.keep(
                f"{champion} has learned listens after the end of this window: trigger the replay again"
            )
        not_learned = material.at_or_after(start.learned)
        replayed = material.at_or_after(self.window.starts, unnamed=NEVER) & self.replay
        if not (not_learned | replayed).any():
            return start.keep(f"{champion} has already seen all of these listens")
        model = reindex(model, material.catalogue)
        return _update(start, champion, model, material, not_learned, replayed)

    def report(self, retrained: Retrained, seconds: float) -> IncrementalUpdateReport:
        """Report what the window held, what waits after it, and the time from its first event to promotion."""
        decision, screened, figures = retrained.decision, retrained.screened, retrained.decision.figures
        first_event_to_promoted_s = None
        if decision.promoted and screened:
            first = screened.listens.where("in_window").agg({"arrived_at": "min"}).first()
            if first and first[0]:
                first_event_to_promoted_s = time.time() - first[0]
        return IncrementalUpdateReport(
            **retrained.fields(),
            window=self.window.to_json(),
            messages_in_window=screened.in_window if screened else 0,
            lost_by_retention=self.window.lost,
            waiting_after_window=retrained.start.end_offsets.ahead_of(self.window.ends),
            replayed=self.replay,
            updated=figures if isinstance(figures, UpdateFigures) else None,
            compared=figures if isinstance(figures, ComparisonFigures) else None,
            first_event_to_promoted_s=first_event_to_promoted_s,
            seconds=seconds,
        )


def _update(
    start: Start,
    champion: Version,
    model: Recommender,
    material: Material,
    not_learned: NDArray[np.bool_],
    replayed: NDArray[np.bool_],
) -> PromotionDecision:
    """Update the champion's model with the marked listens, and promote the result if it passes the gate."""
    plays, to_learn = material.interactions, not_learned | replayed
    new = not_learned if not_learned.any() else to_learn
    window = _newest_half(plays, new)
    # If the champion has learned all listens, the candidate must learn all, too. Otherwise the comparison would
    # favour the champion.
    learned = window.train if not_learned.any() else plays.matrix()
    timeline = window.timeline if not_learned.any() else plays.timeline()
    candidate = fold_in_plays(model, plays.matrix(~to_learn), learned, material.audio, timeline)
    before = Lineage.made_from(champion, start.window.ends, updates=1)
    is_replay = not not_learned.any()
    rival = None if is_replay else _provisional_since(start, champion, before, material)
    reference, against = rival or (champion, model)
    rows = sample_listeners(window)

    def ndcg(blend: Blend) -> NDArray[np.float64]:
        return evaluate_ranking(blend, window, listeners=rows).values["ndcg@10"]

    challenger, of_champion = evaluate_ranking(candidate.blend, window, listeners=rows), ndcg(model.blend)
    of_reference = ndcg(against.blend) if rival else of_champion
    pool = _pool_for(before, is_replay=is_replay, compared_with=reference)
    pool = pool.with_window(plays.users[rows].tolist(), challenger.values["ndcg@10"], of_reference)
    verdict = pool.verdict()
    listens = f"the later half of {int(new.sum()):,} listens"
    news = f"of a replay, which {champion} has learned" if is_replay else f"that {champion} has not learned"
    reason = (
        f"NDCG@10 {_mean(challenger.values['ndcg@10']):.3f} against {champion}'s {_mean(of_champion):.3f}, "
        f"{len(rows)} listeners; evaluated on {listens} {news}; against {reference}, {pool.in_words()}: {verdict}"
    )
    if not len(rows):
        reason = f"nothing to judge by: in {listens} nobody plays a new track; {verdict}"
    say(reason)
    figures = UpdateFigures(
        challenger=challenger.means(),
        champion_ndcg_at_10=_mean(of_champion),
        full_training_ndcg_at_10=(
            _mean(of_reference)
            if before.full_training == reference.number
            else _ndcg_of_full_training(start, before, material, ndcg)
        ),
        updates_since_full_training=before.updates,
        listens=len(material.offsets),
        difference=pool.bounds() if np.isfinite(pool.bounds()).all() else None,
        provisional=verdict is Verdict.PROVISIONAL,
    )
    if verdict is Verdict.REFUSED:
        if not is_replay:
            start.registry.tag(reference, POOL, pool.next().to_json())
        if rival is None or not start.registry.succeed(champion, reference):
            return start.keep(reason, figures)
        reason = f"{reason}; {champion} was provisional, so {reference} serves again"
        say(reason)
        return PromotionDecision(False, str(reference), reason, against, figures)
    lineage = before
    if not is_replay:
        lineage = replace(before, reference=reference.number, pool=pool)
        if verdict is Verdict.PROMOTED:
            lineage = replace(before, reference=None, pool=pool.next())
    updated = fold_in_plays(candidate, learned, plays.matrix(), material.audio, plays.timeline())
    return Candidate(updated, lineage, reason, figures).promote(start.registry, successor_of=champion)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _pool_for(before: Lineage, *, is_replay: bool, compared_with: Version) -> Pool:
    """Return the pool that a window is added to."""
    if is_replay:
        return Pool(number=before.pool.number)  # a replay shows nothing about the updates before it
    if before.reference not in (None, compared_with.number):
        return before.pool.next()  # the reference is lost
    return before.pool


def _provisional_since(
    start: Start, champion: Version, lineage: Lineage, material: Material
) -> tuple[Version, Recommender] | None:
    """Load the version that a provisional champion is compared with; None if it is missing or damaged.

    None also if the champion was promoted without reservation.
    """
    if lineage.reference is None:
        return None
    try:
        version = start.registry.version(NAME, lineage.reference)
        model = load(version)
    except ModelError as error:
        say(str(error))
        model = None
    if model is None:
        say(f"{champion} is provisional, but its reference is lost: the gate begins anew with {champion}")
        return None
    return version, reindex(model, material.catalogue)


def _newest_half(plays: Interactions, marked: NDArray[np.bool_]) -> Window:
    """Hold out the newest half of the marked listens."""
    times = np.asarray(plays.timestamp)
    newest = marked & (times >= np.median(times[marked]))
    return Window(plays.matrix(~newest), plays.matrix(newest), plays.timeline(~newest))


def _ndcg_of_full_training(
    start: Start, lineage: Lineage, material: Material, ndcg: Callable[[Blend], NDArray[np.float64]]
) -> float | None:
    """Evaluate the full training that a lineage begins with; None if it is missing or damaged."""
    try:
        model = load(start.registry.version(NAME, lineage.full_training or 0))
    except ModelError as error:
        say(f"The update is not compared with the last full training. {error}")
        return None
    return None if model is None else _mean(ndcg(reindex(model, material.catalogue).blend))
