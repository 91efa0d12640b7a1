"""Train the recommender in full: choose everything anew, compare with the baselines, promote.

All choices are made on a validation window. The result is compared with the baselines on the test window after it.
The model that is promoted is then fitted to all listens. Between full trainings, :mod:`.incremental` learns the
new listens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, cast

from segue.connections.windows import OffsetWindow
from segue.errors import ModelError
from segue.listens import training_data
from segue.recommender import incumbent
from segue.recommender.candidate import Candidate, Lineage, PromotionDecision, load, say
from segue.recommender.comparison import Comparison, compare, in_words
from segue.recommender.components import als
from segue.recommender.evaluation.windows import by_time
from segue.recommender.material import Material
from segue.recommender.model import NAME, Recommender
from segue.recommender.recipe import TRIALS, Recipe
from segue.recommender.report import Surroundings, page
from segue.recommender.reports import SEGUE, ComparisonFigures, FullTrainingReport
from segue.recommender.retraining import Retrained, Retraining, Start

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from segue.connections.model_version import Version
    from segue.settings import Settings


@dataclass(frozen=True)
class FullTraining(Retraining):
    """Choose everything anew, from all listens up to now or up to a past day.

    Parameters
    ----------
    seed : int
        Seed for the sets of ALS parameters that are tried, and for the random initial factors of ALS.
    trials : int
        How many sets of ALS parameters are tried.
    as_of : date, optional
        Learn only from the lake's listens up to this day (UTC, inclusive). The result is registered as a version
        but not promoted.
    around : Surroundings, optional
        What the report shows beside the training itself.
    """

    seed: int = 0
    trials: int = TRIALS
    as_of: date | None = None
    around: Surroundings | None = None

    @property
    def reads_topic(self) -> bool:
        """Whether listens are read from Kafka: not for a past day."""
        return self.as_of is None

    def read(self, spark: SparkSession, settings: Settings, start: Start) -> DataFrame:
        """Read all listens, or those up to the past day."""
        if self.as_of is not None:
            say(f"Reading the lake's listens up to {self.as_of} …")
            return training_data.read_days(spark, settings, self.as_of)
        say(f"Reading all listens up to {start.window.ends} of the topic {start.window.topic!r} …")
        return training_data.read_until(spark, settings, start.window, start.topic)

    def decide(self, spark: SparkSession, start: Start, material: Material) -> PromotionDecision:
        """Train in full, and count the users that were forgotten since the last full training.

        If the candidate is promoted, the model has no trace of them any more. If not, it may still have one.
        """
        forgotten = forgotten_since_full_training(start)  # before the promotion, which may delete that version
        decision = train_in_full(
            spark,
            start,
            material,
            seed=self.seed,
            trials=self.trials,
            as_of=self.as_of,
            around=self.around,
        )
        trace = "now out of the model" if decision.promoted else "with a trace in the model still"
        compared = cast(ComparisonFigures, decision.figures)
        return replace(decision, figures=compared.model_copy(update={"forgotten_users": {trace: forgotten}}))

    def report(self, retrained: Retrained, seconds: float) -> FullTrainingReport:
        """Report the window that the champion has now learned; it is empty if the champion was kept."""
        window = retrained.start.window
        learned = window if retrained.decision.promoted else OffsetWindow(window.topic, {})
        return FullTrainingReport(
            **retrained.fields(),
            compared=cast(ComparisonFigures, retrained.decision.figures),
            learned=learned.to_json(),
            seconds=seconds,
        )


def train_in_full(
    spark: SparkSession,
    start: Start,
    material: Material,
    *,
    seed: int = 0,
    trials: int = TRIALS,
    as_of: date | None = None,
    around: Surroundings | None = None,
) -> PromotionDecision:
    """Choose everything anew, compare with the champion's recipe and the baselines, and promote.

    The champion's recipe is fitted again, and is promoted instead of the new choice if that may be more than 1 %
    worse: see `incumbent`.

    A candidate is not promoted if it ranks worse than popularity and the difference is significant (95 %
    confidence). The champion then goes on serving. If no version serves yet, or the champion is damaged,
    popularity serves until a training is better.

    Parameters
    ----------
    spark : SparkSession
    start : Start
    material : Material
    seed : int
        Seed for the sets of ALS parameters that are tried, and for the random initial factors of ALS.
    trials : int
        How many sets of ALS parameters are tried.
    as_of : date, optional
        The past day up to which `material` has listens. The candidate is then registered but not promoted.
    around : Surroundings, optional
        What the report shows beside the training itself.

    Raises
    ------
    TrainingError
        If the listens cannot be divided by time.
    """
    fit = partial(als.fit, spark, seed=seed)
    standing = _recipe_of(start.champion)
    others = {} if standing is None else {incumbent.REFITTED: standing}
    comparison = compare(
        fit, by_time(material.interactions), material.audio, others=others, trials=trials, seed=seed, say=say
    )
    if standing is not None:
        comparison = incumbent.settled(comparison, standing)
    say(comparison_table(comparison))
    passed = comparison.gains["popularity"][2] > 0
    reason = _reason(comparison)
    figures = ComparisonFigures(
        ndcg_at_10={row.model: row.metrics["ndcg@10"] for row in comparison.rows if row.task == "new tracks"},
        interval=next(
            ((row.low, row.high) for row in comparison.rows if (row.task, row.model) == ("new tracks", SEGUE)),
            None,
        ),
        listens=len(material.offsets),
    )
    html = page(
        comparison,
        material.interactions,
        passed=passed,
        champion=str(start.champion) if start.champion else None,
        around=around,
        promoted=as_of is None,
    )
    recipe = comparison.recipe
    if not passed and as_of is None:
        # A champion that cannot be loaded would serve nobody, so even popularity is better.
        if standing is not None:
            return start.keep(reason, figures, html)
        recipe = replace(recipe, weights={name: float(name == "popularity") for name in recipe.weights})
        reason = f"{reason}: popularity serves until then"
    plays = material.interactions
    blend = recipe.fit_blend(fit, plays.matrix(), material.audio, plays.timeline())
    model = Recommender(material.catalogue, blend, recipe)
    lineage = Lineage(start.window.ends, as_of=as_of, seed=seed)
    candidate = Candidate(model, lineage, reason, figures, comparison.rows, html)
    if as_of is None:
        return candidate.promote(start.registry)
    version = candidate.register(start.registry)
    reason = f"{version} knows the listens up to {as_of} and serves only if you promote it; {reason}"
    return start.keep(reason, figures, html)


def _recipe_of(champion: Version | None) -> Recipe | None:
    """Return the recipe of a version; None if it cannot be loaded."""
    model = load(champion) if champion is not None else None
    return None if model is None else model.recipe


def comparison_table(comparison: Comparison) -> str:
    """Write a comparison as a table for the task's log."""
    lines = [f"Divided by {comparison.how}. Every track is ranked."]
    for task in dict.fromkeys(row.task for row in comparison.rows):
        rows = [row for row in comparison.rows if row.task == task]
        lines.append(
            f"{task + f' ({rows[0].listeners:,} listeners)':<44} NDCG@10  95 % interval    Recall@20  Coverage"
        )
        lines += [
            f"  {row.model:<42} {row.metrics['ndcg@10']:.4f}   {row.low:.4f} to {row.high:.4f}  "
            f"{row.metrics['recall@20']:.4f}     {row.metrics['coverage@10']:.3f}"
            for row in rows
        ]
    will = ", ".join(f"{name} {value:.4f}" for name, value in comparison.will_listen.items())
    return "\n".join([*lines, f"“Will listen” over all pairs: {will}"])


def forgotten_since_full_training(start: Start) -> int:
    """Count the users who were forgotten after the full training that the champion descends from.

    The champion's factors and relations may still have a trace of these users.
    """
    made_at = 0.0
    if start.champion is not None:
        full = Lineage.of(start.champion).full_training or start.champion.number
        try:
            made_at = start.registry.version(NAME, full).made_at.timestamp()
        except ModelError:  # the version was deleted, so everybody is counted
            made_at = 0.0
    users = ((key, at) for key, at in start.removed.items() if key.startswith("user:") and "/" not in key)
    return sum(at > made_at for _, at in users)


def _reason(comparison: Comparison) -> str:
    product, rival, popular = (_ndcg(comparison, model) for model in (SEGUE, comparison.rival, "popularity"))
    gain = comparison.gains.get(comparison.rival, (0.0, 0.0, 0.0))
    mean, low, high = gain
    settled = incumbent.in_a_sentence(comparison)
    return (f"{settled}; " if settled else "") + (
        f"NDCG@10 {product:.3f}; {comparison.rival}, the best baseline, has {rival:.3f}, difference {mean:+.3f} "
        f"({low:+.3f} to {high:+.3f}): {in_words(gain)}; popularity has {popular:.3f}"
    )


def _ndcg(comparison: Comparison, model: str) -> float:
    row = comparison.row("new tracks", model)
    return row.metrics["ndcg@10"] if row else 0.0
